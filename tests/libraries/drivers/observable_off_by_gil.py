"""An event is unregistered by two threads: only the GIL keeps the second from finding it and then not.

requires: observable==1.0.3
include: observable
expect: unguarded check:gil-only
at: observable/core.py:Observable.off
"""

import threading

from observable import EventNotFound, Observable

events = Observable()
ROUNDS = 3000
for number in range(ROUNDS):
    events.on(f"event {number}", print)
removed = []
failures = []


def remove():
    for number in range(ROUNDS):
        try:
            events.off(f"event {number}")
            removed.append(number)
        except EventNotFound:
            pass
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=remove) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(removed)} of {ROUNDS} were removed, {len(failures)} failures")
