"""A factory that is to make one object makes one for each thread that asks first.

requires: simple-di==0.1.5
include: simple_di
expect: stale check, unguarded check
at: simple_di/providers.py:SingletonFactory._provide
"""

import threading

from simple_di.providers import SingletonFactory

ROUNDS = 4000


class Registry:
    def __init__(self):
        self.names = [str(number) for number in range(60)]
        self.users = []


providers = [SingletonFactory(Registry) for _ in range(ROUNDS)]
seen = [[] for _ in range(4)]


def use(mine):
    for provider in providers:
        registry = provider.get()
        registry.users.append("used")
        mine.append(registry)


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(map(id, got))) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} were made more than once")
