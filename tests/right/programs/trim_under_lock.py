"""A log keeps its latest lines: append, size check and trimming are under one lock; the shown length is a hint."""

import threading


class RecentLines:
    def __init__(self, limit):
        self.limit = limit
        self.lines = []
        self.dropped = 0
        self.lock = threading.Lock()

    def add(self, line):
        with self.lock:
            self.lines.append(line)
            excess = len(self.lines) - self.limit
            if excess > 10:
                del self.lines[:excess]
                self.dropped += excess

    def __len__(self):
        return len(self.lines)


recent = RecentLines(30)
lengths = []


def work(number):
    for each in range(80):
        recent.add((number, each))
        lengths.append(len(recent))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(recent) + recent.dropped == 320 and max(lengths) <= 41
