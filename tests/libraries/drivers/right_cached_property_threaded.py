"""The threaded cached property computes under its lock, and looks again there.

requires: cached-property==2.0.1
include: cached_property
expect: nothing
"""

import threading

from cached_property import threaded_cached_property


class Report:
    made = 0

    @threaded_cached_property
    def rows(self):
        return [str(number) for number in range(40)]


reports = [Report() for _ in range(1500)]


def read():
    for report in reports:
        report.rows.append("total")


threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(len(report.rows) != 44 for report in reports)} reports lost a row")
