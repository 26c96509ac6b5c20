"""A bucket is added without the lock while a thread goes through them under it: the lock is never released.

requires: token-throttler==1.5.1
include: token_throttler
expect: changed while iterated, deadlock
at: token_throttler/token_throttler.py:TokenThrottler.consume
"""

import threading
import time

from token_throttler import ThrottlerConfig, TokenBucket, TokenThrottler
from token_throttler.storage import RuntimeStorage


class SharedStorage(RuntimeStorage):
    def consume(self, identifier, bucket_key):
        time.sleep(0.0005)
        return super().consume(identifier, bucket_key)


throttler = TokenThrottler(1, SharedStorage(), ThrottlerConfig({"ENABLE_THREAD_LOCK": True}))
throttler.add_bucket("api", TokenBucket(replenish_time=60, max_tokens=10000))
throttler.add_bucket("api", TokenBucket(replenish_time=3600, max_tokens=100000))
failures = []


def serve():
    for _ in range(50):
        try:
            throttler.consume("api")
        except RuntimeError as error:
            failures.append(error)


def configure():
    for number in range(5):
        time.sleep(0.004)
        throttler.add_bucket("api", TokenBucket(replenish_time=7200 + number, max_tokens=100000))


threads = [threading.Thread(target=work, daemon=True) for work in (serve, serve, configure)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(0.6)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still after {failures}")
