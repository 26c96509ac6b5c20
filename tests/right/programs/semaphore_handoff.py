"""Two semaphores around one slot: the producer waits until it is free, the consumer until it is full."""

import threading


class Slot:
    def __init__(self):
        self.free = threading.Semaphore(1)
        self.full = threading.Semaphore(0)
        self.item = None

    def put(self, item):
        self.free.acquire()
        self.item = item
        self.full.release()

    def take(self):
        self.full.acquire()
        item, self.item = self.item, None
        self.free.release()
        return item


slot = Slot()
taken = []


def produce():
    for number in range(90):
        slot.put(number)


def consume():
    for _ in range(90):
        taken.append(slot.take())


threads = [threading.Thread(target=each) for each in (produce, consume)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert taken == list(range(90)) and slot.item is None
