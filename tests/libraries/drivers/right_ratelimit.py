"""A limit of calls that counts under its lock.

requires: ratelimit==2.2.1
include: ratelimit
expect: nothing
"""

import threading

from ratelimit import RateLimitException, limits

passed = []


@limits(calls=500, period=60)
def call():
    passed.append(None)


def work():
    for _ in range(1000):
        try:
            call()
        except RateLimitException:
            pass


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(passed)} of at most 500 calls passed")
