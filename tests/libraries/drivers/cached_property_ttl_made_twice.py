"""Of a property that lives for some time, two threads make a value each as the old one expires.

requires: cached-property==2.0.1
include: cached_property
expect: stale check, unguarded check
at: cached_property.py:cached_property_with_ttl.__get__
"""

import itertools
import threading
import time

from cached_property import cached_property_with_ttl

TTL = 0.002
made = []


class Session:
    @cached_property_with_ttl(ttl=TTL)
    def basket(self):
        made.append(time.time())
        return {str(n): [] for n in range(50)}


session = Session()


def shop():
    for number in range(12000):
        session.basket[str(number % 50)].append(number)


threads = [threading.Thread(target=shop) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(after - before < TTL for before, after in itertools.pairwise(made))
print(f"RESULT {twice} of {len(made)} baskets were made while another one held")
