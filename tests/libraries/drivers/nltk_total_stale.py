"""The total of a distribution is remembered, though another thread counted while it was added up.

requires: nltk==3.10.4
include: nltk.probability
expect: stale check, unguarded check, inconsistent locking
at: nltk/probability.py:FreqDist.N
"""

import threading

from nltk.probability import FreqDist

counts = FreqDist(str(number) for number in range(3000))
lock = threading.Lock()
done = threading.Event()
wrong = []


def count(place):
    for number in range(1500):
        with lock:
            counts[f"{place} {number}"] += 1


def show():
    while not done.is_set():
        counts.N()


threads = [threading.Thread(target=count, args=(place,)) for place in range(2)]
readers = [threading.Thread(target=show) for _ in range(2)]
for thread in threads + readers:
    thread.start()
for thread in threads:
    thread.join()
done.set()
for thread in readers:
    thread.join()
print(f"RESULT the total is {counts.N()}, it should be {sum(counts.values())}")
