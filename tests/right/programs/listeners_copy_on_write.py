"""Listeners are kept in a tuple, which is replaced under a lock.

An event goes to those of the tuple it has read.
"""

import threading


class Bus:
    def __init__(self):
        self._lock = threading.Lock()
        self._listeners = ()

    def subscribe(self, listener):
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def unsubscribe(self, listener):
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def publish(self, event):
        for listener in self._listeners:
            listener(event)


bus = Bus()
received = []
bus.subscribe(received.append)


def publisher(number):
    for each in range(40):
        bus.publish((number, each))


def visitor():
    for _ in range(30):
        mine = []
        listener = mine.append
        bus.subscribe(listener)
        bus.publish("visit")
        bus.unsubscribe(listener)
        assert "visit" in mine


threads = [threading.Thread(target=publisher, args=(number,)) for number in range(2)]
threads += [threading.Thread(target=visitor) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len([event for event in received if event != "visit"]) == 80 and received.count("visit") == 60
