"""A decorated function that several threads call; what a call counts is its thread's own.

requires: tenacity==9.2.1
include: tenacity
expect: nothing
"""

import threading

from tenacity import retry, stop_after_attempt, wait_none

own = threading.local()
done = []


@retry(stop=stop_after_attempt(4), wait=wait_none())
def fetch():
    own.tries = getattr(own, "tries", 0) + 1
    if own.tries % 3:
        raise OSError("not there")
    return own.tries


def work(place):
    for _ in range(60):
        done.append(fetch())


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(done)} fetched")
