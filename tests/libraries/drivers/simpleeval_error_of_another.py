"""An evaluator remembers the expression for its errors: threads that share it get the other's expression.

requires: simpleeval==1.0.8
include: simpleeval
expect: overwritten before read, unguarded own write
at: simpleeval.py
"""

import threading

from simpleeval import NameNotDefined, SimpleEval

evaluator = SimpleEval()
wrong = []


def check(place):
    for number in range(2000):
        expression = f"1 + 2 * 3 - unknown_{place}_{number}"
        try:
            evaluator.eval(expression)
        except NameNotDefined as error:
            if error.expression != expression:
                wrong.append(error)


threads = [threading.Thread(target=check, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 6000 errors show another expression")
