"""A cache of a pure function is dropped by putting a new dict in place.

Entries that go into the old one are lost on purpose.
"""

import threading


class Squares:
    def __init__(self):
        self.cache = {}

    def invalidate(self):
        self.cache = {}

    def get(self, number):
        cache = self.cache
        value = cache.get(number)
        if value is None:
            value = cache[number] = number * number
        return value


squares = Squares()
wrong = []
ready = threading.Barrier(4)


def work():
    ready.wait()
    for turn in range(150):
        number = turn % 12 + 1
        if squares.get(number) != number * number:
            wrong.append(number)


def invalidate():
    ready.wait()
    for _ in range(50):
        squares.invalidate()


threads = [threading.Thread(target=work) for _ in range(3)] + [threading.Thread(target=invalidate)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
