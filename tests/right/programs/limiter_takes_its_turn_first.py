"""A limiter of calls in a time: a thread takes its turn under the lock, and waits for it after that. Another one waits
with the lock held."""

import threading
import time

GAP = 0.0005


class Turns:
    def __init__(self):
        self.lock = threading.Lock()
        self.next = time.monotonic()

    def wait(self):
        with self.lock:
            turn = max(self.next, time.monotonic())
            self.next = turn + GAP
        time.sleep(max(turn - time.monotonic(), 0))


class Held:
    def __init__(self):
        self.lock = threading.Lock()
        self.last = time.monotonic()

    def wait(self):
        with self.lock:
            left = self.last + GAP - time.monotonic()
            if left > 0:
                time.sleep(left)
            self.last = time.monotonic()


def call(limiter):
    for _ in range(20):
        limiter.wait()


began = time.monotonic()
for limiter in (Turns(), Held()):
    threads = [threading.Thread(target=call, args=(limiter,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
assert time.monotonic() - began >= 2 * 59 * GAP
