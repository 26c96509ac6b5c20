"""A dictionary of the program's own class, looked at and changed under its lock."""

import threading
import time
from collections import UserDict


class Prices(UserDict):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()
        self.loads = 0

    def price_of(self, item):
        with self.lock:
            if item not in self:
                time.sleep(0)
                self.loads += 1
                self[item] = [item, self.loads]
            return self[item]

    def forget(self, item):
        with self.lock:
            self.pop(item, None)

    def total(self):
        with self.lock:
            return sum(number for _, number in self.values())


prices = Prices()


def shop(first):
    for number in range(first, first + 60):
        prices.price_of(number % 12)
        if number % 7 == 0:
            prices.forget(number % 12)
        prices.total()


threads = [threading.Thread(target=shop, args=(n * 5,)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(prices))
