"""A plugin's name is taken once: two threads that register one at the same time both get through.

requires: pluggy==1.7.0
include: pluggy
expect: stale check, unguarded check
at: pluggy/_manager.py:PluginManager.register
"""

import threading

import pluggy

mark = pluggy.HookimplMarker("app")
manager = pluggy.PluginManager("app")
ROUNDS = 300
registered = []
refused = []


def load(place):
    for number in range(ROUNDS):

        class Plugin:
            @mark
            def start(self):
                return place

        try:
            manager.register(Plugin(), name=f"plugin {number}")
            registered.append(number)
        except ValueError as error:
            refused.append(error)


threads = [threading.Thread(target=load, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(registered)} plugins were registered by {ROUNDS} names")
