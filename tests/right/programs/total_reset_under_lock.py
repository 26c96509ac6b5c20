"""A total that is remembered until a price changes. Who computes it holds the lock until it is stored; so does who
changes a price, until the total is reset. A second one is stored only if no price has changed since."""

import threading


class Basket:
    def __init__(self):
        self.lock = threading.Lock()
        self.prices = {"apple": 1, "pear": 2}
        self.total = None
        self.version = 0
        self.mean = None

    def set_price(self, name, price):
        with self.lock:
            self.prices[name] = price
            self.version += 1
            self.total = None
            self.mean = None

    def get_total(self):
        with self.lock:
            if self.total is None:
                self.total = self.prices["apple"] + self.prices["pear"]
            return self.total

    def get_mean(self):
        mean = self.mean
        if mean is None:
            with self.lock:
                version = self.version
                apple, pear = self.prices["apple"], self.prices["pear"]
            mean = (apple + pear) / 2
            with self.lock:
                if self.version == version:
                    self.mean = mean
        return mean


basket = Basket()
ready = threading.Barrier(4)


def change(place):
    ready.wait()
    for number in range(60):
        basket.set_price("apple" if place else "pear", number)


def look():
    ready.wait()
    for _ in range(60):
        assert basket.get_total() >= 0
        assert basket.get_mean() >= 0


threads = [threading.Thread(target=change, args=(place,)) for place in range(2)]
threads += [threading.Thread(target=look) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert basket.get_total() == 118
assert basket.get_mean() == 59
