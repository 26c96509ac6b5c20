"""Threads parse C with the same parser: one reads on in the text of another.

requires: pycparser==3.12
include: pycparser
expect: overwritten before read, unguarded own write
at: pycparser/c_parser.py, pycparser/c_lexer.py
"""

import threading

from pycparser.c_parser import CParser

parser = CParser()
wrong = []
failures = []


def work(place):
    for number in range(25):
        name = f"value_{place}_{number}"
        try:
            tree = parser.parse(f"typedef int number; number {name} = {number}; int get(void) {{ return {name} + 1; }}")
            if [part.name for part in tree.ext[:2]] != ["number", name]:
                wrong.append(name)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 75 files are wrong, {len(failures)} failed")
