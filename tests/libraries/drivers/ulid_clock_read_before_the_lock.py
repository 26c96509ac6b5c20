"""A thread reads the clock, waits for the lock, and brings an old time: the identifiers fall.

requires: python-ulid==4.1.0
include: ulid
expect: overwritten before read, stale check, lost update, unrepeatable read
at: ulid/__init__.py:ULIDGenerator.generate, ulid/__init__.py:BaseMonotonicPolicy.resolve_randomness
"""

import os
import threading
import time

from ulid import ULIDGenerator

COUNT = 1000


def draw(timestamp):
    time.sleep(0.0002)  # asks the device for random bytes
    return os.urandom(10)


generator = ULIDGenerator(randomness=draw)
taken = [[] for _ in range(4)]


def take(mine):
    for _ in range(COUNT):
        mine.append(generator.generate())


threads = [threading.Thread(target=take, args=(mine,)) for mine in taken]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
fallen = sum(one >= two for mine in taken for one, two in zip(mine, mine[1:]))
print(f"RESULT {fallen} of {len(taken) * COUNT} identifiers are less than the one that the same thread got before")
