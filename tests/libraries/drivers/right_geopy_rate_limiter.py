"""A limiter that lets one request in at a time gives slots under its lock; it may be shared by threads.

requires: geopy==2.5.0
include: geopy
expect: nothing
"""

import threading

from geopy.extra.rate_limiter import RateLimiter

asked = []
limited = RateLimiter(lambda query: asked.append(query) or len(query), min_delay_seconds=0.002, error_wait_seconds=0.01)
failures = []


def work(place):
    for number in range(60):
        try:
            if limited(f"town {place} {number}") is None:
                failures.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(asked)} of 240 were asked, {len(failures)} failed")
