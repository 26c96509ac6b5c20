"""Counters made for threads, one by a lock, one by an iterator that counts; threads count and read.

requires: fastcounter==1.1.0
include: fastcounter
expect: nothing
"""

import threading

from fastcounter import FastReadCounter, FastWriteCounter

ROUNDS = 1000
read, written = FastReadCounter(), FastWriteCounter()
ready = threading.Barrier(4)
steps = []


def count():
    last = 0
    ready.wait()
    for number in range(ROUNDS):
        read.increment()
        written.increment(2)
        if number % 10 == 0:
            value = written.value
            steps.append(value >= last)
            last = value


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing wrong: {read.value} and {written.value} of {4 * ROUNDS} and {8 * ROUNDS}, {all(steps)}")
