"""A limit is None until it is set, and then only replaced by other numbers.

Whichever number is read second will do.
"""

import threading


class Throttle:
    def __init__(self):
        self.limit = None

    def allows(self, size):
        if self.limit is not None:
            return size <= self.limit
        return True


throttle = Throttle()
answers = []
ready = threading.Barrier(4)


def operator():
    ready.wait()
    for limit in range(100, 200):
        throttle.limit = limit


def client():
    ready.wait()
    for size in range(90):
        answers.append(throttle.allows(size))


threads = [threading.Thread(target=operator)] + [threading.Thread(target=client) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(answers) and not throttle.allows(200)
