"""A semaphore of one guards a counter and the list of its steps; acquire and release are in try and finally."""

import threading


class Steps:
    def __init__(self):
        self.mutex = threading.Semaphore(1)
        self.count = 0
        self.steps = []

    def step(self, who):
        self.mutex.acquire()
        try:
            self.count = self.count + 1
            self.steps.append((self.count, who))
        finally:
            self.mutex.release()


steps = Steps()


def work(who):
    for _ in range(80):
        steps.step(who)


threads = [threading.Thread(target=work, args=(who,)) for who in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert [number for number, _ in steps.steps] == list(range(1, 321)) and steps.count == 320
