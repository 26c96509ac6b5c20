"""What is not there or too old is fetched by each thread that finds it so.

requires: ttl-cache==1.6
include: ttl_cache
expect: stale check
at: ttl_cache.py
"""

import threading
import time

import ttl_cache

TTL = 0.05
fetched = []


@ttl_cache(TTL)
def fetch(number):
    fetched.append(number)
    time.sleep(0.001)  # asks a server
    return [number]


def ask():
    for turn in range(300):
        fetch(turn % 3)


threads = [threading.Thread(target=ask) for _ in range(4)]
began = time.monotonic()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
needed = 3 * (1 + (time.monotonic() - began) / TTL)
print(f"RESULT {len(fetched)} were fetched, at most {needed:.0f} were needed")
