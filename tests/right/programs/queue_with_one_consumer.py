"""Only one thread takes items from the queue. So what it finds by a look stays there until it takes it."""

import queue
import threading

jobs = queue.Queue()
ended = threading.Event()
taken = []


def produce(number):
    for count in range(40):
        jobs.put((number, count))


def consume():
    while not (ended.is_set() and jobs.empty()):
        if not jobs.empty():
            taken.append(jobs.get_nowait())
        else:
            ended.wait(0.001)


consumer = threading.Thread(target=consume)
producers = [threading.Thread(target=produce, args=(number,)) for number in range(3)]
for thread in [consumer, *producers]:
    thread.start()
for thread in producers:
    thread.join()
ended.set()
consumer.join()
assert sorted(taken) == [(number, count) for number in range(3) for count in range(40)]
