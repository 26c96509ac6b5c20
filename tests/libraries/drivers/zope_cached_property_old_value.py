"""The key of a cached property is written before its value: a reader gets the old value under the new key.

requires: zope.cachedescriptors==6.0
include: zope.cachedescriptors
expect: read skew, write skew, stale check, intermediate read, unguarded check
at: zope/cachedescriptors/property.py:_CachedProperty.__get__
"""

import threading

from zope.cachedescriptors.property import CachedProperty

wrong = []


class Order:
    def __init__(self):
        self.amount = 0

    @CachedProperty("amount")
    def total(self):
        return (self.amount, sum(range(self.amount % 90)))


order = Order()


def change():
    for number in range(4000):
        order.amount = number
        order.total


def read():
    for _ in range(4000):
        before = order.amount
        total = order.total[0]
        if total < before:
            wrong.append((before, total))


threads = [threading.Thread(target=target) for target in (change, read, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} totals were older than the amount read before")
