"""A scheduler that runs jobs while threads add and remove some.

requires: APScheduler==3.11.3
include: apscheduler
expect: nothing
"""

import threading
import time

from apscheduler.schedulers.background import BackgroundScheduler

scheduler = BackgroundScheduler()
ran = []
failures = []


def add(place):
    for number in range(25):
        try:
            job = scheduler.add_job(ran.append, "interval", seconds=60, args=[number], id=f"{place}-{number}")
            scheduler.add_job(ran.append, args=[number])
            job.modify(max_instances=3)
            job.remove()
        except Exception as error:
            failures.append(error)


scheduler.start()
threads = [threading.Thread(target=add, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
while len(ran) < 75:
    time.sleep(0.01)
scheduler.shutdown()
print(f"RESULT {len(ran)} of 75 jobs ran, {len(failures)} failed")
