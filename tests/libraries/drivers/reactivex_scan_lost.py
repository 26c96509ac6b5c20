"""Threads send to the same subject: its running total loses some.

requires: reactivex==6.1.0
include: reactivex
expect: lost update, unguarded update
at: reactivex/operators/_scan.py
"""

import threading

from reactivex import operators
from reactivex.subject import Subject

PAYMENTS = 700
payments = Subject()
totals = []
failures = []
payments.pipe(operators.scan(lambda total, payment: total + payment, 0)).subscribe(totals.append)


def pay():
    for _ in range(PAYMENTS):
        try:
            payments.on_next(1)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=pay) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT a total of {max(totals)}, {4 * PAYMENTS} were paid, {len(failures)} failed")
