"""Two requests resolve a singleton at a time: it is made twice, and what is put into one is not in the other.

requires: clean-ioc==1.24.0
include: clean_ioc
expect: stale check, unguarded check
at: clean_ioc/core.py
"""

# A resolve looks in the container if there is an instance, makes one if there is none, and then puts it there. Two
# threads each find none; the one that is put first is lost, with those that are registered at it.

import threading
import time

from clean_ioc import Container, Lifespan

ROUNDS = 150


class Registry:
    def __init__(self):
        time.sleep(0.001)  # connects
        self.names = []


class Service:
    def __init__(self, registry: Registry):
        self.registry = registry


containers = [Container() for _ in range(ROUNDS)]
for container in containers:
    container.register(Registry, lifespan=Lifespan.singleton)
    container.register(Service)
start = threading.Barrier(4)


def serve(mine):
    for container in containers:
        start.wait()
        container.resolve(Service).registry.names.append(mine)


threads = [threading.Thread(target=serve, args=(mine,)) for mine in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kept = sum(len(container.resolve(Registry).names) for container in containers)
print(f"RESULT {4 * ROUNDS - kept} of {4 * ROUNDS} names are lost")
