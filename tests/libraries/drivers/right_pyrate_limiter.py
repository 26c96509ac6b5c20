"""A limiter that several threads share.

requires: pyrate-limiter==4.5.1
include: pyrate_limiter
expect: nothing
"""

import threading

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate

limiter = Limiter(InMemoryBucket([Rate(300, Duration.HOUR)]))
passed = []


def work():
    for _ in range(200):
        if limiter.try_acquire("key", blocking=False):
            passed.append(1)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
limiter.close()
print(f"RESULT {len(passed)} of 800 calls passed")
