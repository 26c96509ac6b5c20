"""A property that is kept in an attribute is made by each thread that comes first.

requires: zope.cachedescriptors==6.0
include: zope.cachedescriptors
expect: stale check, unguarded check
at: zope/cachedescriptors/property.py
"""

import threading
import time

from zope.cachedescriptors.property import cachedIn

made = []
ready = threading.Barrier(4)
ROUNDS = 200


class Report:
    @cachedIn("_rows")
    def rows(self):
        made.append(self)
        time.sleep(0.001)  # it asks the database
        return [number * number for number in range(1500)]


reports = [Report() for _ in range(ROUNDS)]


def work(place):
    for report in reports:
        ready.wait()
        report.rows.append(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(len(report.rows) != 1504 for report in reports)
print(f"RESULT {len(made)} made for {ROUNDS} reports, {lost} miss rows")
