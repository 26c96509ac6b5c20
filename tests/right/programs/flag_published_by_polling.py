"""The result is stored first and the flag set after it; readers poll the flag, and then read the result."""

import threading
import time


class Computation:
    def __init__(self):
        self.finished = False
        self.result = None
        self.parts = []

    def run(self, number):
        for each in range(20):
            self.parts.append(number * each)
        self.result = sum(self.parts)
        self.finished = True


computations = [Computation() for _ in range(15)]
results = []


def compute():
    for number, computation in enumerate(computations):
        computation.run(number)


def collect():
    for computation in computations:
        while not computation.finished:
            time.sleep(0)
        results.append(computation.result)


threads = [threading.Thread(target=each) for each in (collect, compute, collect)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(results) == sorted([190 * number for number in range(15)] * 2)
