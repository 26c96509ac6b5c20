"""A connection made by a cached property, which is asked for under a lock."""

import threading
import time
from functools import cached_property


class Client:
    def __init__(self):
        self.lock = threading.Lock()

    @cached_property
    def connection(self):
        time.sleep(0.001)
        return object()

    def ask(self):
        with self.lock:
            return self.connection


clients = [Client() for _ in range(20)]
seen = [set() for _ in clients]


def work():
    for client, connections in zip(clients, seen, strict=True):
        connections.add(id(client.ask()))


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(all(len(each) == 1 for each in seen))
