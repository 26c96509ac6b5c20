"""Instances that are made when they are first asked for, under the library's lock.

requires: inject==5.5.0
include: inject
expect: nothing
"""

import threading

import inject

ROUNDS = 300
types = [type(f"Service{number}", (), {}) for number in range(ROUNDS)]
seen = [[] for _ in range(4)]


def config(binder):
    for each in types[:150]:
        binder.bind_to_constructor(each, each)


injector = inject.configure(config)


def use(mine):
    for each in types:
        mine.append(inject.instance(each))


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(map(id, got))) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} instances were made twice")
