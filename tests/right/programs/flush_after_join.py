"""Each round's writers append to a shared list. The main thread replaces the list after it has joined them."""

import threading


class Collector:
    def __init__(self):
        self.lines = []
        self.archive = []

    def write(self, line):
        self.lines.append(line)

    def rotate(self):
        self.archive.append(self.lines)
        self.lines = []


collector = Collector()


def writer(number):
    for each in range(25):
        collector.write((number, each))


for _ in range(5):
    threads = [threading.Thread(target=writer, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    collector.rotate()
assert collector.lines == []
assert [len(lines) for lines in collector.archive] == [75] * 5
