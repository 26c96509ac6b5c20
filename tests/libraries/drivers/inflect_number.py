"""An engine remembers the number for the next word; threads that share it get the form for another's number.

requires: inflect==7.6.0
include: inflect
expect: overwritten before read, unguarded own write
at: inflect/__init__.py
"""

import threading

import inflect

engine = inflect.engine()
wrong = []


def write(number, word):
    for _ in range(500):
        engine.num(number)
        text = engine.plural_noun("cat")
        if text != word:
            wrong.append(text)


threads = [threading.Thread(target=write, args=what) for what in ((1, "cat"), (2, "cats"), (1, "cat"))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 1500 words have the wrong number")
