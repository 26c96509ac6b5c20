"""Identifiers from itertools.count: next() of it is one step."""

import itertools
import threading


class Registry:
    def __init__(self):
        self._numbers = itertools.count(1)
        self.items = {}

    def add(self, item):
        number = next(self._numbers)
        self.items[number] = item
        return number


registry = Registry()
numbers = []


def work(name):
    for each in range(80):
        numbers.append(registry.add((name, each)))


threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(numbers) == list(range(1, 321)) and len(set(registry.items.values())) == 320
