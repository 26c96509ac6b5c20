"""A singleton of a container is resolved by several threads at once: it is made by each of them.

requires: that-depends==1.24.0
include: that_depends
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: that_depends/providers/singleton.py
"""

# sync_resolve() looks whether there is an instance, calls the factory, and keeps what it made, without a lock
# (a later version takes one). The other threads look while the factory runs, and make one too.

import threading

from that_depends import BaseContainer, providers

CONTAINERS = 80
made = []


class Connection:
    def __init__(self, name):
        self.name = name
        self.state = dict.fromkeys(range(500), name)
        made.append(self)


containers = [
    type(f"Container{number}", (BaseContainer,), {"connection": providers.Singleton(Connection, f"database {number}")})
    for number in range(CONTAINERS)
]
start = threading.Barrier(4, timeout=20)
resolved = []


def work():
    for container in containers:
        start.wait()
        resolved.append(container.connection.sync_resolve())


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} connections were made for {CONTAINERS} containers")
