"""Threads emit into a stream that keeps a running total: what one adds while another adds is lost.

requires: streamz==0.6.6
include: streamz
expect: lost update, unguarded update
at: streamz/core.py:accumulate.update
"""

import threading

from streamz import Stream

source = Stream()
totals = []
total = source.accumulate(lambda total, payment: total + payment["amount"], start=0)
total.sink(totals.append)
PAYMENTS = 400
failures = []


def pay():
    for _ in range(PAYMENTS):
        try:
            source.emit({"amount": 1})
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=pay) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT a total of {max(totals)}, {4 * PAYMENTS} were paid, {len(failures)} failed")
