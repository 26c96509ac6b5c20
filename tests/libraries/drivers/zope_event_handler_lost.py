"""Two threads register the first handler of an event: both make the list, unless the GIL prevents it.

requires: zope.event==6.2
include: zope.event
expect: stale check, unguarded check:gil-only
at: zope/event/classhandler.py:handler
"""

import threading

from zope.event import classhandler

ROUNDS = 3000
kinds = [type(f"Event{number}", (), {}) for number in range(ROUNDS)]


def listen(event):
    pass


def register():
    for kind in kinds:
        classhandler.handler(kind, listen)


threads = [threading.Thread(target=register) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(len(classhandler.registry[kind]) != 4 for kind in kinds)
print(f"RESULT of {lost} of {ROUNDS} events a handler is lost")
