"""A lexer is given a text, and goes on with the text of another thread.

requires: ply==3.11
include: ply.lex
expect: overwritten before read, unguarded own write
at: ply/lex.py
"""

import threading

from ply import lex

tokens = ("NAME", "NUMBER")
t_NAME = r"[a-z]+"
t_NUMBER = r"[0-9]+"
t_ignore = " "


def t_error(t):
    t.lexer.skip(1)


lexer = lex.lex()
wrong = []


def read(text):
    words = text.split()
    for _ in range(1500):
        lexer.input(text)
        if [token.value for token in lexer] != words:
            wrong.append(text)


texts = ("one 1 two 2 three 3", "red green blue yellow", "10 20 30 40 50 60")
threads = [threading.Thread(target=read, args=(text,)) for text in texts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 4500 texts were read wrongly")
