"""Two threads run what is pending: both find the job due, and both run it.

requires: schedule==1.2.2
include: schedule
expect: stale check, unguarded check
at: schedule/__init__.py
"""

import datetime
import threading

import schedule

ran = []
ROUNDS = 2500
schedulers = []
for _ in range(ROUNDS):
    scheduler = schedule.Scheduler()
    scheduler.every(1).hours.do(ran.append, scheduler)
    scheduler.jobs[0].next_run = datetime.datetime.now()
    schedulers.append(scheduler)


def run():
    for scheduler in schedulers:
        scheduler.run_pending()


threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {ROUNDS} jobs ran {len(ran)} times")
