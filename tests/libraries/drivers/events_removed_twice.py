"""Two threads take the same function out of a slot: both see it there; the GIL alone prevents a failure.

requires: Events==0.5
include: events
expect: failed access, unguarded check:gil-only
at: events/events.py:_EventSlot.__isub__
"""

import threading

from events import Events

events = Events()
failures = []


def hear():
    pass


def work():
    slot = events.on_change
    for _ in range(8000):
        slot += hear
        try:
            slot -= hear
        except ValueError as error:
            failures.append(error)


events.on_change += hear
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} removals failed")
