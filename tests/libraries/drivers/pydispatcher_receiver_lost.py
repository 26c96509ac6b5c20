"""A signal's last receiver is disconnected, and the list dropped into which another thread puts a new one.

requires: PyDispatcher==2.0.7
include: pydispatch
expect: stale container, unguarded change
at: pydispatch/dispatcher.py:connect
"""

import threading

from pydispatch import dispatcher

ROUNDS = 4000
missing = []
failures = []


def plugin():
    def receive():
        return "here"

    for _ in range(ROUNDS):
        dispatcher.connect(receive, signal="ready", sender=dispatcher.Any)
        if receive not in [receiver for receiver, _ in dispatcher.send("ready")]:
            missing.append(receive)
        try:
            dispatcher.disconnect(receive, signal="ready", sender=dispatcher.Any)
        except (dispatcher.errors.DispatcherKeyError, KeyError) as error:
            failures.append(error)


threads = [threading.Thread(target=plugin) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(missing)} of {3 * ROUNDS} receivers were not called, {len(failures)} calls failed")
