"""A pool in a queue. Who takes a connection looks and takes under one lock; who gives one back puts it in any case."""

import queue
import threading


class Pool:
    def __init__(self):
        self.free = queue.Queue()
        self.lock = threading.Lock()
        self.made = 0

    def take(self):
        with self.lock:
            if not self.free.empty():
                return self.free.get_nowait()
            self.made += 1
            return [0]

    def give(self, connection):
        self.free.put(connection)


pool = Pool()


def work():
    for _ in range(60):
        connection = pool.take()
        connection[0] += 1
        pool.give(connection)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
uses = 0
while not pool.free.empty():
    uses += pool.free.get_nowait()[0]
assert uses == 4 * 60 and pool.made <= 4
