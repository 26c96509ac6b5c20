"""An event's slot is made as it is first named: two threads make one each, and who is in the other is not called.

requires: Events==0.5
include: events
expect: stale check, unguarded check, lost update, overwritten before read
at: events/events.py:Events.__getattr__, events_slot_made_twice.py
"""

import threading

from events import Events

ROUNDS = 12000
all_events = [Events(("on_change", "on_close", "on_error")) for _ in range(ROUNDS)]


def hear():
    pass


def subscribe():
    for events in all_events:
        events.on_error += hear


threads = [threading.Thread(target=subscribe) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT of {sum(len(events.on_error) != 4 for events in all_events)} of {ROUNDS} events a listener is lost")
