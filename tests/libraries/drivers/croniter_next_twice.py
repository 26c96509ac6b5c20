"""Workers take the next time from the same schedule: some get the same one.

requires: croniter==7.0.0
include: croniter
expect: lost update, unguarded update
at: croniter/croniter.py
"""

import datetime
import threading

from croniter import croniter

TIMES = 150
schedule = croniter("*/5 * * * *", datetime.datetime(2026, 1, 1))
taken = []
failures = []


def work():
    for _ in range(TIMES):
        try:
            taken.append(schedule.get_next(datetime.datetime))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(taken))} different times of {len(taken)}, {len(failures)} failed")
