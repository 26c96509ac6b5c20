"""A mapping whose methods take its lock, those that look first, too."""

import threading
from collections.abc import MutableMapping


class Registry(MutableMapping):
    def __init__(self):
        self._items = {}
        self._lock = threading.RLock()

    def __getitem__(self, key):
        with self._lock:
            return self._items[key]

    def __setitem__(self, key, value):
        with self._lock:
            self._items[key] = value

    def __delitem__(self, key):
        with self._lock:
            del self._items[key]

    def __iter__(self):
        with self._lock:
            return iter(list(self._items))

    def __len__(self):
        with self._lock:
            return len(self._items)

    def pop(self, key, default=None):
        with self._lock:
            return super().pop(key, default)

    def setdefault(self, key, default=None):
        with self._lock:
            return super().setdefault(key, default)

    def items(self):
        with self._lock:
            return list(self._items.items())


registry = Registry()


def use(first):
    for number in range(first, first + 80):
        registry.setdefault(number % 9, []).append(number)
        if number % 5 == 0:
            registry.pop(number % 9)
        sum(len(value) for _, value in registry.items())


threads = [threading.Thread(target=use, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(registry) <= 9)
