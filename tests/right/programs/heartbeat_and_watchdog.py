"""Workers stamp the time into a cell of their own; a watchdog compares it with the time. Only the latest counts."""

import threading
import time


class Watched(threading.Thread):
    def __init__(self):
        super().__init__()
        self.beat = time.monotonic()
        self.steps = 0

    def run(self):
        for number in range(200):
            self.beat = time.monotonic()
            self.steps = number + 1


workers = [Watched() for _ in range(3)]
stop = threading.Event()
late = []


def watchdog():
    while not stop.is_set():
        now = time.monotonic()
        for worker in workers:
            if now - worker.beat > 60:
                late.append(worker.name)
        stop.wait(0.002)


dog = threading.Thread(target=watchdog, daemon=True)
dog.start()
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
stop.set()
dog.join()
assert not late and [worker.steps for worker in workers] == [200, 200, 200]
