"""A singleton of a container is made by each thread that asks first.

requires: rodi==2.1.0
include: rodi
expect: stale check, unguarded check
at: rodi/__init__.py:SingletonTypeProvider.__call__
"""

import threading

from rodi import Container

ROUNDS = 3000


class Base:
    def __init__(self):
        self.names = [str(number) for number in range(60)]
        self.users = []


types = [type(f"Service{number}", (Base,), {}) for number in range(ROUNDS)]
container = Container()
for type_ in types:
    container.add_singleton(type_)
provider = container.build_provider()
seen = [[] for _ in range(4)]


def use(mine):
    for type_ in types:
        service = provider.get(type_)
        service.users.append("used")
        mine.append(service)


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(map(id, got))) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} were made more than once")
