"""Once-only initialisation: a check without the lock, another one with it. The object is complete before that."""

import threading


class Database:
    opened = []

    def __init__(self):
        self.tables = {}
        self.queries = []
        self.opened.append(self)


class Lazy:
    def __init__(self, make):
        self._make = make
        self._lock = threading.Lock()
        self._value = None

    def get(self):
        if self._value is None:
            with self._lock:
                if self._value is None:
                    self._value = self._make()
        return self._value


ready = threading.Barrier(4)
lazies = [Lazy(Database) for _ in range(25)]


def work(number):
    ready.wait()
    for lazy in lazies:
        lazy.get().queries.append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(Database.opened) == 25
assert all(sorted(each.queries) == [0, 1, 2, 3] for each in Database.opened)
