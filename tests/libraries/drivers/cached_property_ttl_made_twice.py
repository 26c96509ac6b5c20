"""Of a property that lives for some time, two threads make a value each as the old one has expired.

requires: cached-property==2.0.1
include: cached_property
expect: stale check, unguarded check
at: cached_property.py:cached_property_with_ttl.__get__
"""

import threading
import time

from cached_property import cached_property_with_ttl

TTL = 2.0
ROUNDS = 2000
made = []


class Session:
    @cached_property_with_ttl(ttl=TTL)
    def basket(self):
        made.append(self)
        return {str(n): [] for n in range(50)}


sessions = [Session() for _ in range(ROUNDS)]
for each in sessions:
    each.basket = {}
time.sleep(TTL + 0.1)


def shop():
    for each in sessions:
        each.basket["1"].append(threading.current_thread())


threads = [threading.Thread(target=shop) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {ROUNDS} baskets expired, and {len(made)} were made")
