"""The thread that finds the end of a rule's dates never gives its lock back.

requires: python-dateutil==2.9.0.post0
include: dateutil
expect: deadlock
at: dateutil/rrule.py:rrulebase._iter_cached
"""

import threading
from datetime import datetime

from dateutil.rrule import DAILY, rrule

days = rrule(DAILY, count=2000, dtstart=datetime(2024, 1, 1), cache=True)
seen = [0, 0, 0]


def work(place):
    for _ in days:
        seen[place] += 1


threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, after {seen} days")
