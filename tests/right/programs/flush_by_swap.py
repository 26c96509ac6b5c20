"""Threads append to a buffer under a lock.

The flusher swaps the buffer under the same lock, and writes it out afterwards.
"""

import threading


class Log:
    def __init__(self):
        self.lock = threading.Lock()
        self.buffer = []
        self.written = []

    def add(self, line):
        with self.lock:
            self.buffer.append(line)

    def flush(self):
        with self.lock:
            lines, self.buffer = self.buffer, []
        self.written.extend(lines)


log = Log()
stop = threading.Event()


def flusher():
    while not stop.wait(0.002):
        log.flush()


def work(number):
    for each in range(100):
        log.add((number, each))


background = threading.Thread(target=flusher)
background.start()
threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stop.set()
background.join()
log.flush()
assert sorted(log.written) == [(number, each) for number in range(3) for each in range(100)]
