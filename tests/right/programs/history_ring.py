"""A bounded deque keeps the latest events. Threads append without a lock; the reader copies it by one call in C."""

import collections
import threading

history = collections.deque(maxlen=50)
ready = threading.Barrier(4)
sizes = []


def work(number):
    ready.wait()
    for each in range(80):
        history.append((number, each))


def read():
    ready.wait()
    for _ in range(60):
        sizes.append(len(history.copy()))


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)] + [threading.Thread(target=read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(history) == 50 and max(sizes) <= 50
for number in range(3):
    mine = [each for who, each in history if who == number]
    assert mine == sorted(mine)
