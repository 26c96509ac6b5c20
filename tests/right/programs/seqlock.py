"""A sequence lock: writers make the version odd, write, and make it even.

Readers read again if it changed or is odd.
"""

import threading
import time


class Point:
    def __init__(self):
        self.lock = threading.Lock()
        self.version = 0
        self.x = 0
        self.y = 0

    def move(self, step):
        with self.lock:
            self.version += 1
            self.x += step
            self.y -= step
            self.version += 1

    def read(self):
        while True:
            before = self.version
            if before % 2 == 0:
                x, y = self.x, self.y
                if self.version == before:
                    return x, y
            time.sleep(0)


point = Point()
torn = []
ready = threading.Barrier(4)


def mover(step):
    ready.wait()
    for _ in range(60):
        point.move(step)


def reader():
    ready.wait()
    for _ in range(60):
        x, y = point.read()
        if x + y:
            torn.append((x, y))


threads = [threading.Thread(target=mover, args=(step,)) for step in (1, 2)]
threads += [threading.Thread(target=reader) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not torn and point.read() == (180, -180)
