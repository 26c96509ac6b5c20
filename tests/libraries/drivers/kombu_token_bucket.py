"""A bucket lets more callers through than it has tokens.

requires: kombu==5.7.0
include: kombu.utils.limits
expect: lost update, stale check, unguarded check, unguarded update
at: kombu/utils/limits.py
"""

import threading

from kombu.utils.limits import TokenBucket

buckets = [TokenBucket(0.001, 5) for _ in range(400)]
ready = threading.Barrier(4)
through = []


def work(place):
    for bucket in buckets:
        ready.wait()
        for _ in range(4):
            if bucket.can_consume():
                through.append(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(through)} let through by buckets for {5 * len(buckets)}")
