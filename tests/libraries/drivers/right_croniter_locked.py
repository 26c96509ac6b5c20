"""Workers take the next time from the same schedule, under a lock.

requires: croniter==7.0.0
include: croniter
expect: nothing
"""

import datetime
import threading

from croniter import croniter

TIMES = 100
schedule = croniter("*/5 * * * *", datetime.datetime(2026, 1, 1))
lock = threading.Lock()
taken = []


def work():
    for _ in range(TIMES):
        with lock:
            time = schedule.get_next(datetime.datetime)
        taken.append(time)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(taken))} different times of {len(taken)}")
