"""The writer fills a list, sets an event, and waits for the flusher's answer before it replaces the list."""

import threading


class Channel:
    def __init__(self):
        self.page = []
        self.full = threading.Event()
        self.flushed = threading.Event()
        self.closed = False
        self.stored = []

    def write(self, item):
        self.page.append(item)
        if len(self.page) == 8:
            self.hand_over()

    def hand_over(self):
        self.flushed.clear()
        self.full.set()
        self.flushed.wait()
        self.page = []

    def flusher(self):
        while True:
            self.full.wait()
            self.full.clear()
            self.stored.append(list(self.page))
            closed = self.closed
            self.flushed.set()
            if closed:
                return


channel = Channel()
thread = threading.Thread(target=channel.flusher)
thread.start()
for number in range(100):
    channel.write(number)
channel.closed = True
channel.hand_over()
thread.join()
assert [item for page in channel.stored for item in page] == list(range(100))
assert channel.page == []
