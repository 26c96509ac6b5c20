"""Two threads that ask for a service for the first time get an object each, and only one of them stays.

requires: kink==0.9.0
include: kink
expect: stale check, unguarded check
at: kink/container.py:Container._get
"""

import threading

from kink import Container

ROUNDS = 600
containers = []
for _ in range(ROUNDS):
    container = Container()
    container["clients"] = lambda di: [name for name in map(str, range(80)) if name]
    containers.append(container)
seen = [[] for _ in range(4)]


def use(mine):
    for container in containers:
        clients = container["clients"]
        clients.append(threading.current_thread())
        mine.append(clients)


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len({id(clients) for clients in got}) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} services were made more than once")
