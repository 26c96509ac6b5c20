"""Of a property that lives for some time, two threads make a value each as the old one expires.

requires: cached-property==2.0.1
include: cached_property
expect: stale check, unguarded check
at: cached_property.py:cached_property_with_ttl.__get__
"""

import threading

from cached_property import cached_property_with_ttl

failures = []


class Session:
    made = 0

    @cached_property_with_ttl(ttl=0.002)
    def basket(self):
        Session.made += 1
        return {str(n): [] for n in range(50)}


session = Session()
mine = [[] for _ in range(4)]


def shop(kept):
    for number in range(4000):
        basket = session.basket
        basket[str(number % 50)].append(number)
        if not kept or kept[-1] is not basket:
            kept.append(basket)


threads = [threading.Thread(target=shop, args=(kept,)) for kept in mine]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
alone = [basket for kept in mine for basket in kept]
print(f"RESULT {Session.made} baskets made, {len({id(basket) for basket in alone})} seen by the threads")
