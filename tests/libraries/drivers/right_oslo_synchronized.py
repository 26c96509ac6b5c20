"""Threads count under locks that they share by their names.

requires: oslo.concurrency==7.6.1
include: oslo_concurrency
expect: nothing
"""

import threading

from oslo_concurrency import lockutils

COUNTS = 400
totals = {"red": 0, "blue": 0}


@lockutils.synchronized("red")
def count_red():
    totals["red"] = int(str(totals["red"])) + 1


def count_blue():
    with lockutils.lock("blue"):
        totals["blue"] = int(str(totals["blue"])) + 1


def work():
    for _ in range(COUNTS):
        count_red()
        count_blue()


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {totals['red']} and {totals['blue']} of {3 * COUNTS}")
