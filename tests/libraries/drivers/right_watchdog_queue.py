"""The observer's queue of events, which leaves out an event that is the same as the last one.

requires: watchdog==7.1.0
include: watchdog
expect: nothing
"""

import threading

from watchdog.utils.bricks import SkipRepeatsQueue

events = SkipRepeatsQueue()
got = []


def put(place):
    for number in range(800):
        events.put((place, number // 2))


def take():
    while (event := events.get()) is not None:
        got.append(event)


taker = threading.Thread(target=take)
putters = [threading.Thread(target=put, args=(place,)) for place in range(3)]
for thread in (taker, *putters):
    thread.start()
for thread in putters:
    thread.join()
events.put(None)
taker.join()
print(f"RESULT {len(set(got))} of 1200 events came through")
