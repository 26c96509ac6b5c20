"""Threads ask one rate limiter, whose store in memory locks itself: it lets exactly its limit in.

requires: throttled-py==3.5.0
include: throttled
expect: nothing
"""

import threading

from throttled import MemoryStore, RateLimiterType, Throttled, rate_limiter

throttle = Throttled(
    using=RateLimiterType.TOKEN_BUCKET.value,
    quota=rate_limiter.per_hour(300, burst=300),
    store=MemoryStore(),
)
let_in = []


def serve():
    for _ in range(100):
        if not throttle.limit("api").limited:
            let_in.append(1)


threads = [threading.Thread(target=serve) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing went wrong: {len(let_in)} of 400 requests were let in, the limit is 300")
