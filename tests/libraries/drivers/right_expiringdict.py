"""A dict that forgets: each thread writes keys of its own, and all read them.

requires: expiringdict==1.2.2
include: expiringdict
expect: nothing
"""

import threading

from expiringdict import ExpiringDict

seen = ExpiringDict(max_len=60, max_age_seconds=0.01)
found = [0] * 4


def use(place):
    for number in range(1500):
        seen[(place, number % 40)] = number
        if seen.get(((place + 1) % 4, number % 40)) is not None:
            found[place] += 1
        seen.pop((place, number % 13))


threads = [threading.Thread(target=use, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(seen)} are left, at most 60")
