"""Threads ask a frozen clock that ticks at each look: two of them are told the same time.

requires: freezegun==1.5.5
include: freezegun
expect: lost update, unguarded update, overwritten before read, unguarded own write
at: freezegun/api.py:StepTickTimeFactory
"""

# Each look adds a step to the frozen time with +=, and the addition is a Python method of freezegun's own datetime:
# a second thread adds to the same time meanwhile, and one of the two steps is lost.

import datetime
import threading

from freezegun import freeze_time

LOOKS = 500
start = threading.Barrier(4)
seen = []


def work():
    start.wait()
    for _ in range(LOOKS):
        seen.append(datetime.datetime.now())


with freeze_time("2026-01-01", auto_tick_seconds=1):
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(f"RESULT {len(set(seen))} different times of {len(seen)} looks")
