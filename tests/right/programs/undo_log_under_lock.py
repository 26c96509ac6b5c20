"""A store with transactions: changes are noted for undo and taken back on failure, in one hold of the lock."""

import contextlib
import threading


class Store:
    def __init__(self):
        self.lock = threading.Lock()
        self.values = {"a": 50, "b": 50}
        self.undo = []
        self.rolled_back = 0

    @contextlib.contextmanager
    def transaction(self):
        with self.lock:
            self.undo = []
            try:
                yield self
            except ValueError:
                while self.undo:
                    name, value = self.undo.pop()
                    self.values[name] = value
                self.rolled_back += 1

    def add(self, name, amount):
        self.undo.append((name, self.values[name]))
        self.values[name] += amount
        if self.values[name] < 0:
            raise ValueError(name)


store = Store()


def work(source, target):
    for amount in range(60):
        with store.transaction():
            store.add(target, amount)
            store.add(source, -amount)


threads = [threading.Thread(target=work, args=names) for names in (("a", "b"), ("b", "a"), ("a", "b"))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sum(store.values.values()) == 100 and min(store.values.values()) >= 0 and store.rolled_back > 0
