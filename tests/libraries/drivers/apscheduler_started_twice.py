"""Two threads start the same scheduler: both find it stopped, and two threads run its jobs.

requires: APScheduler==3.11.3
include: apscheduler
expect: stale check, unguarded check
at: apscheduler/schedulers/base.py, apscheduler/schedulers/background.py
"""

import threading

from apscheduler.schedulers import SchedulerAlreadyRunningError
from apscheduler.schedulers.background import BackgroundScheduler

ROUNDS = 300
schedulers = [BackgroundScheduler() for _ in range(ROUNDS)]
started = []
failures = []


def start():
    for scheduler in schedulers:
        try:
            scheduler.start(paused=True)
            started.append(scheduler)
        except SchedulerAlreadyRunningError:
            pass
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=start) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for scheduler in schedulers:
    scheduler.shutdown(wait=False)
print(f"RESULT {ROUNDS} schedulers were started {len(started)} times, {len(failures)} starts failed")
