"""The buffer is never replaced: writers append to one deque, and the flusher takes items off until it is empty."""

import collections
import threading


class Outbox:
    def __init__(self):
        self.items = collections.deque()
        self.sent = []

    def put(self, item):
        self.items.append(item)

    def drain(self):
        while True:
            try:
                item = self.items.popleft()
            except IndexError:
                return
            self.sent.append(item)


outbox = Outbox()
stop = threading.Event()


def flusher():
    while not stop.wait(0.001):
        outbox.drain()


def writer(number):
    for each in range(100):
        outbox.put((number, each))


background = threading.Thread(target=flusher)
background.start()
threads = [threading.Thread(target=writer, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stop.set()
background.join()
outbox.drain()
assert sorted(outbox.sent) == [(number, each) for number in range(3) for each in range(100)]
