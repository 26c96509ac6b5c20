"""To disconnect a receiver makes a new list; one that another thread connects meanwhile is not in it.

requires: peewee==4.5.3
include: playhouse.signals
expect: lost update, unguarded update, stale check
at: playhouse/signals.py
"""

import threading

from playhouse.signals import Signal

saved = Signal()
failures = []
EACH = 60


def subscribe(who):
    for number in range(EACH):
        for name in (f"{who}-{number}", f"{who}-{number}-for-now"):
            saved.connect(print, name=name)
        try:
            saved.disconnect(name=f"{who}-{number}-for-now")
        except (KeyError, ValueError) as error:
            failures.append(error)


threads = [threading.Thread(target=subscribe, args=(who,)) for who in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(saved._receiver_list)} of {4 * EACH} receivers are connected")
