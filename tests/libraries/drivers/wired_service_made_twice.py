"""A container makes a service for each thread that asks for it at the same time.

requires: wired==0.4
include: wired
expect: stale check, unguarded check
at: wired/container.py:ServiceCache.get, wired/container.py:ServiceContainer.get
"""

import threading
import time

from wired import ServiceRegistry

made = []
different = []
ready = threading.Barrier(4)
ROUNDS = 120


class Connection:
    def __init__(self, container):
        time.sleep(0.001)  # it connects
        made.append(self)


registry = ServiceRegistry()
registry.register_factory(Connection, Connection)
containers = [registry.create_container() for _ in range(ROUNDS)]
got = [[None] * 4 for _ in range(ROUNDS)]


def work(place):
    for number, container in enumerate(containers):
        ready.wait()
        got[number][place] = container.get(Connection)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
different = [each for each in got if len({id(one) for one in each}) > 1]
print(f"RESULT {len(made)} made for {ROUNDS} containers, {len(different)} gave different ones")
