"""Singletons that are made under the lock of the injector.

requires: injector==0.24.0
include: injector
expect: nothing
"""

import threading

from injector import Injector, singleton

made = []


@singleton
class Connections:
    def __init__(self):
        self.open = []
        made.append(self)


injectors = [Injector() for _ in range(60)]


def connect():
    for injector in injectors:
        injector.get(Connections).open.append(threading.current_thread())


threads = [threading.Thread(target=connect) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} of 60 singletons were made")
