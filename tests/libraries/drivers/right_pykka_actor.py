"""An actor, whose state only its own thread touches; others send it messages.

requires: pykka==4.5.0
include: pykka
expect: nothing
"""

import threading

import pykka


class Counter(pykka.ThreadingActor):
    def __init__(self):
        super().__init__()
        self.count = 0

    def add(self, amount):
        self.count = self.count + amount
        return self.count


proxy = Counter.start().proxy()


def count():
    for _ in range(150):
        proxy.add(1).get()


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
total = proxy.count.get()
pykka.ActorRegistry.stop_all()
print(f"RESULT {total} of 600 were counted")
