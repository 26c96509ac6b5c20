"""A lookup without the lock, and again with it before the entry is made: each value is made once."""

import threading


class Registry:
    def __init__(self):
        self._lock = threading.Lock()
        self._items = {}
        self.made = 0

    def get(self, name):
        item = self._items.get(name)
        if item is None:
            with self._lock:
                item = self._items.get(name)
                if item is None:
                    item = self._items[name] = []
                    self.made += 1
        return item


registry = Registry()
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(60):
        registry.get(f"topic{each}").append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert registry.made == 60
assert all(sorted(registry.get(f"topic{each}")) == [0, 1, 2, 3] for each in range(60))
