"""Tasks are given to a server's dispatcher of threads, which hands out each of them once.

requires: waitress==3.0.2
include: waitress.task
expect: nothing
"""

import logging
import threading

from waitress.task import ThreadedTaskDispatcher

TASKS = 1000
served = []
done = threading.Semaphore(0)
logging.getLogger("waitress.queue").setLevel(logging.ERROR)


class Task:
    def __init__(self, name):
        self.name = name

    def service(self):
        served.append(self.name)
        done.release()

    def cancel(self):
        pass


dispatcher = ThreadedTaskDispatcher()
dispatcher.set_thread_count(3)


def add(place):
    for number in range(TASKS):
        dispatcher.add_task(Task((place, number)))


threads = [threading.Thread(target=add, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for _ in range(3 * TASKS):
    done.acquire(timeout=5)
dispatcher.shutdown(timeout=10)
print(f"RESULT {len(set(served))} of {3 * TASKS} tasks were served, {len(served)} times")
