"""A latch: threads count down under a condition. The main thread waits until it is zero, and then reads results."""

import threading


class Latch:
    def __init__(self, count):
        self._count = count
        self._condition = threading.Condition()

    def count_down(self):
        with self._condition:
            self._count -= 1
            if self._count <= 0:
                self._condition.notify_all()

    def wait(self):
        with self._condition:
            while self._count > 0:
                self._condition.wait()


results = [None] * 30
latch = Latch(30)


def work(start):
    for place in range(start, 30, 3):
        results[place] = place * place
        latch.count_down()


threads = [threading.Thread(target=work, args=(start,), daemon=True) for start in range(3)]
for thread in threads:
    thread.start()
latch.wait()
assert results == [place * place for place in range(30)]
results.clear()
for thread in threads:
    thread.join()
