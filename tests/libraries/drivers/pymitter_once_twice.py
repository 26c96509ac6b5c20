"""A listener that is to be called once is called by each thread that emits meanwhile.

requires: pymitter==1.1.3
include: pymitter
expect: stale check, unguarded check
at: pymitter/__init__.py:Listener.__call__
"""

import threading

from pymitter import EventEmitter

emitter = EventEmitter()
called = []
ROUNDS = 400


def handle(number):
    called.append(sum(range(200)) and number)


for number in range(ROUNDS):
    emitter.once(f"ready.{number}", handle)


def emit():
    for number in range(ROUNDS):
        emitter.emit(f"ready.{number}", number)


threads = [threading.Thread(target=emit) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(called)} calls of {ROUNDS} listeners")
