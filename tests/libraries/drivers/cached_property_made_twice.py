"""Two threads that ask for the same property both compute it, and what one of them puts into it is gone.

requires: cached-property==2.0.1
include: cached_property
expect: stale check, unguarded check
at: cached_property.py:__get__
"""

import threading

from cached_property import cached_property

ROUNDS = 2000


class Report:
    def __init__(self, number):
        self.number = number

    @cached_property
    def rows(self):
        return [str(n) for n in range(self.number % 7 + 60) if str(n).isdigit()]


reports = [Report(number) for number in range(ROUNDS)]
seen = [[None] * ROUNDS for _ in range(4)]


def read(mine):
    for number, report in enumerate(reports):
        mine[number] = report.rows
        report.rows.append("total")


threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(report.rows.count("total") != 4 for report in reports)
print(f"RESULT {lost} of {ROUNDS} reports lost a row")
