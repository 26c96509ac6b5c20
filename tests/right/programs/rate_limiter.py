"""A token bucket: refill, check and take are in one hold of the lock. Time is given by the caller."""

import itertools
import threading


class TokenBucket:
    def __init__(self, rate, capacity):
        self.rate = rate
        self.capacity = capacity
        self.tokens = capacity
        self.updated = 0
        self.lock = threading.Lock()

    def take(self, now):
        with self.lock:
            if now > self.updated:
                self.tokens = min(self.capacity, self.tokens + (now - self.updated) * self.rate)
                self.updated = now
            if self.tokens >= 1:
                self.tokens -= 1
                return True
            return False


clock = itertools.count()
bucket = TokenBucket(rate=0.5, capacity=10)
taken, refused = [], []


def work():
    for _ in range(80):
        now = next(clock)
        (taken if bucket.take(now) else refused).append(now)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(taken) + len(refused) == 320 and len(taken) <= 10 + 320 * 0.5
