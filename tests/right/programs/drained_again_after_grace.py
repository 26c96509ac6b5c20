"""The flusher puts a new list in place without a lock. It drains the old one now, and once more in the next round.

After the writers have been joined it drains both lists, so a late append to the old list is not lost.
"""

import threading


class Buffer:
    def __init__(self):
        self.current = []
        self.retired = []
        self.stored = []

    def add(self, item):
        self.current.append(item)

    def drain(self, items):
        while items:
            self.stored.append(items.pop())

    def flush(self):
        self.drain(self.retired)
        self.retired = self.current
        self.current = []


buffer = Buffer()
ready = threading.Barrier(4)


def writer(number):
    ready.wait()
    for each in range(80):
        buffer.add((number, each))
    ready.wait()


def flusher():
    ready.wait()
    buffer.flush()
    ready.wait()
    buffer.flush()
    buffer.flush()


threads = [threading.Thread(target=writer, args=(number,)) for number in range(3)] + [threading.Thread(target=flusher)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
buffer.flush()
assert sorted(buffer.stored) == [(number, each) for number in range(3) for each in range(80)]
