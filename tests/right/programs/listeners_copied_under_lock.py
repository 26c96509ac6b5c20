"""An event bus copies its list of listeners under the lock, and calls them without it: they may subscribe."""

import threading


class Bus:
    def __init__(self):
        self.lock = threading.Lock()
        self.listeners = []

    def on(self, listener):
        with self.lock:
            self.listeners.append(listener)

    def off(self, listener):
        with self.lock:
            self.listeners.remove(listener)

    def emit(self, event):
        with self.lock:
            listeners = list(self.listeners)
        for listener in listeners:
            listener(event)


bus = Bus()
counts = {}


def work(number):
    seen = []
    me = threading.get_ident()

    def listener(event):
        if event == number and threading.get_ident() == me and len(seen) < 20:
            seen.append(event)
            if len(seen) == 20:
                bus.off(listener)

    bus.on(listener)
    for _ in range(30):
        bus.emit(number)
    counts[number] = len(seen)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert counts == dict.fromkeys(range(4), 20) and bus.listeners == []
