"""A new version makes a new cache object.

A thread that computed for an old version keeps it in the old object, which is gone.
"""

import threading


class Generation:
    def __init__(self, number):
        self.number = number
        self.values = {}

    def value(self, key):
        try:
            return self.values[key]
        except KeyError:
            value = self.values[key] = (key, self.number)
            return value


class Store:
    def __init__(self):
        self.lock = threading.Lock()
        self.generation = Generation(0)

    def changed(self):
        with self.lock:
            self.generation = Generation(self.generation.number + 1)

    def value(self, key):
        return self.generation.value(key)


store = Store()
bad = []


def work(name):
    last = 0
    for turn in range(120):
        key, number = store.value(f"{name}{turn % 5}")
        if number < last:
            bad.append((key, number))
        last = number
        if turn % 20 == 0:
            store.changed()


threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not bad and store.generation.number == 18
