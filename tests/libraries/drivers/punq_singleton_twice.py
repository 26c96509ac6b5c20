"""A singleton is made by the first who asks for it: two threads make one each.

requires: punq==0.9.0
include: punq
expect: stale check, unguarded check
at: punq/__init__.py
"""

import threading
import time

import punq


class Connections:
    def __init__(self):
        time.sleep(0.001)  # connects
        self.open = []


ROUNDS = 100
containers = []
for _ in range(ROUNDS):
    container = punq.Container()
    container.register(Connections, scope=punq.Scope.singleton)
    containers.append(container)


def connect():
    for container in containers:
        container.resolve(Connections).open.append(threading.current_thread())


threads = [threading.Thread(target=connect) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(len(container.resolve(Connections).open) != 4 for container in containers)
print(f"RESULT {lost} of {ROUNDS} singletons were made more than once")
