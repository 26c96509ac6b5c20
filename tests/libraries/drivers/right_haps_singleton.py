"""A singleton is made by the thread that asks first, under the lock of the container.

requires: haps==1.1.3
include: haps
expect: nothing
"""

import threading

from haps import SINGLETON_SCOPE, Container, Egg, scope

ROUNDS = 400


class Base:
    def __init__(self):
        self.names = [str(number) for number in range(60)]
        self.users = []


eggs = []
for number in range(ROUNDS):
    type_ = scope(SINGLETON_SCOPE)(type(f"Service{number}", (Base,), {}))
    eggs.append(Egg(type_, type_, None, type_))
Container.configure(eggs)
seen = [[] for _ in range(4)]


def use(mine):
    container = Container()
    for egg in eggs:
        service = container.get_object(egg.base_)
        service.users.append("used")
        mine.append(service)


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(map(id, got))) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} were made more than once")
