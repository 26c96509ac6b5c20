"""Locks by key are made under a master lock. Each account is changed under its own lock."""

import contextlib
import itertools
import threading


class KeyLocks:
    def __init__(self):
        self._master = threading.Lock()
        self._locks = {}

    @contextlib.contextmanager
    def hold(self, key):
        with self._master:
            if key not in self._locks:
                self._locks[key] = threading.Lock()
            lock = self._locks[key]
        with lock:
            yield


locks = KeyLocks()
stock = {"apple": [], "pear": [], "plum": []}


def work(number):
    for each in range(60):
        fruit = ("apple", "pear", "plum")[(number + each) % 3]
        with locks.hold(fruit):
            if stock[fruit] and stock[fruit][-1] == number:
                stock[fruit].pop()
            else:
                stock[fruit].append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(left != right for each in stock.values() for left, right in itertools.pairwise(each))
