"""Threads evaluate formulas by one interpreter, which keeps its errors in itself: a right formula gets another's.

requires: asteval==1.0.10
include: asteval
expect: overwritten before read, unrepeatable read, stale check, lost update
at: asteval/asteval.py:Interpreter.eval, asteval/asteval.py:Interpreter.run
"""

import threading
import time

from asteval import Interpreter

calculate = Interpreter(use_numpy=False, minimal=True)


def price(item):
    time.sleep(0.001)
    return {"bread": 3, "milk": 2}[item]


calculate.symtable["price"] = price
ready = threading.Barrier(4)
wrong, missed = [], []


def right(count):
    ready.wait()
    for _ in range(40):
        value = calculate(f"{count} * (price('bread') + price('milk') + price('bread'))", show_errors=False)
        if value != 8 * count or calculate.error:
            wrong.append(value)


def broken():
    ready.wait()
    for _ in range(40):
        calculate("price('cake')", show_errors=False)
        if not calculate.error:
            missed.append(1)
        time.sleep(0.001)


threads = [threading.Thread(target=right, args=(count,)) for count in (2, 3)]
threads += [threading.Thread(target=broken) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} right formulas of 80 had an error, {len(missed)} wrong ones of 80 none")
