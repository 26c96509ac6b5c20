"""A bounded buffer with two conditions on one lock; both wait in loops."""

import threading


class Buffer:
    def __init__(self, size):
        self.items = [None] * size
        self.size = size
        self.count = self.head = self.tail = 0
        self.lock = threading.Lock()
        self.not_full = threading.Condition(self.lock)
        self.not_empty = threading.Condition(self.lock)

    def put(self, item):
        with self.not_full:
            while self.count == self.size:
                self.not_full.wait()
            self.items[self.tail] = item
            self.tail = (self.tail + 1) % self.size
            self.count += 1
            self.not_empty.notify()

    def get(self):
        with self.not_empty:
            while self.count == 0:
                self.not_empty.wait()
            item = self.items[self.head]
            self.head = (self.head + 1) % self.size
            self.count -= 1
            self.not_full.notify()
            return item


buffer = Buffer(4)
received = []


def produce(number):
    for each in range(60):
        buffer.put((number, each))


def consume():
    for _ in range(60):
        received.append(buffer.get())


threads = [threading.Thread(target=produce, args=(number,)) for number in range(3)]
threads += [threading.Thread(target=consume) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(set(received)) == 180 and buffer.count == 0
