"""A connection pool keeps at most a few idle connections: it checks len() and appends in one hold of the lock."""

import threading


class Connection:
    opened = 0

    def __init__(self):
        self.used_by = None
        self.closed = False


class Pool:
    def __init__(self, limit):
        self.limit = limit
        self.idle = []
        self.lock = threading.Lock()

    def get(self):
        with self.lock:
            if self.idle:
                return self.idle.pop()
        return Connection()

    def put(self, connection):
        with self.lock:
            if len(self.idle) < self.limit:
                self.idle.append(connection)
                return
        connection.closed = True


pool = Pool(2)
bad = []


def work(number):
    for _ in range(50):
        connection = pool.get()
        if connection.closed or connection.used_by is not None:
            bad.append(number)
        connection.used_by = number
        connection.used_by = None
        pool.put(connection)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not bad and 1 <= len(pool.idle) <= 2
