"""A singleton of a container is made once, under its lock.

requires: lagom==2.7.7
include: lagom
expect: nothing
"""

import threading

from lagom import Container, Singleton


class Service:
    def __init__(self):
        self.names = [str(number) for number in range(50)]


ROUNDS = 200
containers = []
for _ in range(ROUNDS):
    container = Container()
    container[Service] = Singleton(lambda: Service())
    containers.append(container)
seen = [[] for _ in range(4)]


def use(mine):
    for container in containers:
        mine.append(container[Service])


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(map(id, got))) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} services were made twice")
