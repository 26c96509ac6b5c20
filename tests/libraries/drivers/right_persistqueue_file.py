"""A queue in files between producers and consumers.

requires: persist-queue==1.1.0
include: persistqueue
expect: nothing
"""

import tempfile
import threading

from persistqueue import Queue

taken = []


def produce(queue, place):
    for number in range(60):
        queue.put((place, number))


def consume(queue):
    while (item := queue.get()) is not None:
        taken.append(item)
        queue.task_done()
    queue.task_done()


with tempfile.TemporaryDirectory() as folder:
    queue = Queue(folder, autosave=True)
    producers = [threading.Thread(target=produce, args=(queue, place)) for place in range(2)]
    consumers = [threading.Thread(target=consume, args=(queue,)) for _ in range(2)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        queue.put(None)
    for thread in consumers:
        thread.join()
print(f"RESULT {len(set(taken))} of 120 items came through")
