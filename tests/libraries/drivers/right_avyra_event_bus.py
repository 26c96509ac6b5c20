"""A bus of events that locks its subscribers and calls a copy of them; threads subscribe, emit and go.

requires: avyra==1.2.0
include: avyra
expect: nothing
"""

import threading
from enum import Enum

from avyra import EventBus


class Shop(Enum):
    OPENED = 1
    SOLD = 2
    CLOSED = 3


bus = EventBus()
bus.register(Shop)
lock = threading.Lock()
heard = 0
failed = []
ROUNDS = 300
ready = threading.Barrier(4)


def hear(event, payload):
    global heard
    with lock:
        heard += 1


bus.subscribe(Shop.SOLD, hear)


def use(place):
    def look(event, payload):
        pass

    ready.wait()
    for number in range(ROUNDS):
        try:
            bus.subscribe(Shop, look, priority=place)
            failed.extend(bus.emit(Shop.SOLD, number))
            bus.emit(Shop.OPENED)
            bus.unsubscribe(Shop, look)
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=use, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing wrong: {heard} sales heard of {4 * ROUNDS}, {len(failed)} failed")
