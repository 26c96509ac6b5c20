"""To disconnect makes a new list of listeners; one that another thread connects meanwhile is not in it.

requires: eventkit==1.0.3
include: eventkit
expect: lost update, unguarded update, stale check
at: eventkit/event.py
"""

import threading

import eventkit

ROUNDS = 3
LISTENERS = 70
event = eventkit.Event("tick")
lost = 0


def listener(place):
    def hear(*args):
        return place

    return hear


def subscribe(mine):
    for hear in mine:
        event.connect(hear)
        event.disconnect(hear)
        event.connect(hear)


listeners = [[listener(number) for number in range(LISTENERS)] for _ in range(4)]
for _ in range(ROUNDS):
    threads = [threading.Thread(target=subscribe, args=(mine,)) for mine in listeners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lost += 4 * LISTENERS - len(event)
    event.clear()
print(f"RESULT {lost} listeners are not connected")
