"""A singleton is made by the first who asks for it: two threads make one each.

requires: traitlets==5.16.1
include: traitlets
expect: stale check, unguarded check
at: traitlets/config/configurable.py:SingletonConfigurable.instance
"""

import threading

from traitlets import List
from traitlets.config import SingletonConfigurable

ROUNDS = 60
made = []


def application():
    class Application(SingletonConfigurable):
        names = List()

        def __init__(self, **options):
            super().__init__(**options)
            self.started = []
            made.append(self)

    return Application


applications = [application() for _ in range(ROUNDS)]


def start():
    for each in applications:
        each.instance().started.append(threading.current_thread())


threads = [threading.Thread(target=start) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} of {ROUNDS} singletons were made")
