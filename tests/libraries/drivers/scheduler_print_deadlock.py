"""A job schedules another one while a thread prints the schedule: both stand still.

requires: scheduler==0.8.11
include: scheduler
expect: deadlock
at: scheduler/threading/job.py, scheduler/threading/scheduler.py
"""

# A job runs with its own lock held, and takes that of the schedule to add a job; str() of the schedule takes these
# locks the other way round.

import datetime
import threading
import time

from scheduler import Scheduler

schedule = Scheduler()
done = [0, 0]


def work():
    time.sleep(0.001)
    schedule.once(datetime.timedelta(hours=1), print)


schedule.cyclic(datetime.timedelta(milliseconds=1), work)


def run():
    for _ in range(100):
        schedule.exec_jobs()
        done[0] += 1
        time.sleep(0.001)


def show():
    for _ in range(100):
        str(schedule)
        done[1] += 1
        time.sleep(0.001)


threads = [threading.Thread(target=target, daemon=True) for target in (run, show)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(0.8)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, after {done} rounds")
