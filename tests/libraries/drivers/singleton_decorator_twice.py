"""The one instance of a class is made by each thread that asks first.

requires: singleton-decorator==1.0.0
include: singleton_decorator
expect: stale check, unguarded check
at: singleton_decorator/decorator.py
"""

import threading

from singleton_decorator import singleton

ROUNDS = 2000
classes = []
for _ in range(ROUNDS):

    @singleton
    class Registry:
        def __init__(self):
            self.names = [str(number) for number in range(60)]
            self.lock = threading.Lock()

    classes.append(Registry)
seen = [[] for _ in range(4)]


def use(mine):
    for registry in classes:
        one = registry()
        with one.lock:
            one.names.append("used")
        mine.append(one)


threads = [threading.Thread(target=use, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len(set(map(id, got))) > 1 for got in zip(*seen))
print(f"RESULT {twice} of {ROUNDS} were made more than once")
