"""Threads ask an injector for a singleton, which one of them makes under its lock.

requires: opyoid==4.0.0
include: opyoid.scopes
expect: nothing
"""

import threading

from opyoid import Injector, Module, SingletonScope

ROUNDS = 100
made = []


class Client:
    def __init__(self):
        made.append(self)
        self.calls = []


class ClientModule(Module):
    def configure(self):
        self.bind(Client, scope=SingletonScope)


injectors = [Injector([ClientModule]) for _ in range(ROUNDS)]
start = threading.Barrier(3, timeout=20)


def work():
    for injector in injectors:
        start.wait()
        injector.inject(Client).calls.append(None)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} of {ROUNDS} clients made, {sum(len(each.calls) for each in made)} of {3 * ROUNDS} calls")
