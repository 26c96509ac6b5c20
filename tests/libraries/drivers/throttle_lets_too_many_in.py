"""A valve counts what it holds and then adds to it: two threads are let in for the only place.

requires: throttle==0.2.2
include: throttle
expect: stale check, unguarded check
at: throttle/__init__.py
"""

import threading

import throttle

ROUNDS = 2500
valves = [throttle.Static() for _ in range(ROUNDS)]
passed = [[] for _ in range(4)]


def call(mine):
    for valve in valves:
        mine.append(valve.check(60, 1, None) > 0)


threads = [threading.Thread(target=call, args=(mine,)) for mine in passed]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
many = sum(sum(got) > 1 for got in zip(*passed))
print(f"RESULT {many} of {ROUNDS} valves for one call let more in")
