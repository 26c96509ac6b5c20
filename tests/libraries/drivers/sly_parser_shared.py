"""A parser that two threads share keeps its state in itself.

requires: sly==0.5
include: sly
expect: overwritten before read, unguarded own write
at: sly/yacc.py:Parser.parse
"""

import threading

from sly import Lexer, Parser


class Words(Lexer):
    tokens = {NUMBER, PLUS, TIMES, OPEN, CLOSE}  # noqa: F821
    ignore = " "
    NUMBER = r"[0-9]+"
    PLUS = r"[+]"
    TIMES = r"[*]"
    OPEN = r"[(]"
    CLOSE = r"[)]"


class Sums(Parser):
    tokens = Words.tokens
    precedence = (("left", PLUS), ("left", TIMES))  # noqa: F821

    @_("expr PLUS expr")  # noqa: F821
    def expr(self, p):
        return p.expr0 + p.expr1

    @_("expr TIMES expr")  # noqa: F821
    def expr(self, p):  # noqa: F811
        return p.expr0 * p.expr1

    @_("OPEN expr CLOSE")  # noqa: F821
    def expr(self, p):  # noqa: F811
        return p.expr

    @_("NUMBER")  # noqa: F821
    def expr(self, p):  # noqa: F811
        return int(p.NUMBER)


lexers = [Words() for _ in range(3)]
parser = Sums()
failures = []


def work(place):
    for number in range(250):
        text = f"({number} + {place}) * 2 + (3 * (4 + {number}))"
        try:
            if parser.parse(lexers[place].tokenize(text)) != eval(text):
                failures.append(text)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 750 sums are wrong")
