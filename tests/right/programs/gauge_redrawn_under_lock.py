"""A gauge is drawn anew whenever it is set.

Setting and drawing hold its lock, so each picture shows the value just set.
"""

import threading


class Gauge:
    def __init__(self):
        self.lock = threading.Lock()
        self.value = 0
        self.pictures = []

    def set(self, value):
        with self.lock:
            self.value = value
            self.redraw()

    def redraw(self):
        self.pictures.append("#" * (self.value % 10))


gauge = Gauge()


def work(start):
    for value in range(start, 200, 4):
        gauge.set(value)


threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(map(len, gauge.pictures)) == sorted(value % 10 for value in range(200))
