"""A store is a context manager that holds its lock. Callers make several changes in one with statement."""

import threading


class Store:
    def __init__(self):
        self._lock = threading.RLock()
        self.items = {}
        self.version = 0
        self.changed = False

    def __enter__(self):
        self._lock.acquire()
        self.changed = False
        return self

    def __exit__(self, *error):
        if self.changed:
            self.version += 1
        self._lock.release()

    def move(self, source, target):
        if self.items.get(source):
            self.items[target] = [*self.items.get(target, []), self.items[source].pop()]
            self.changed = True


store = Store()
store.items.update(a=list(range(30)), b=[], c=[])


def work(names):
    for turn in range(60):
        with store as opened:
            opened.move(names[turn % 3], names[(turn + 1) % 3])


threads = [threading.Thread(target=work, args=(names,)) for names in ("abc", "bca", "cab")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(item for items in store.items.values() for item in items) == list(range(30))
assert 0 < store.version <= 180
