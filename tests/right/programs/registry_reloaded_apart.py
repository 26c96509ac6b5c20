"""A registry is loaded into a new dictionary, which takes the place of the old one by one assignment. Who asks it for
a name fails if there is none, and says so."""

import threading

NAMES = ("tea", "milk", "bread")


class UnknownName(Exception):
    pass


class Registry:
    def __init__(self):
        self.prices = self.load(0)

    def load(self, version):
        prices = {}
        for name in NAMES:
            prices[name] = version
        return prices

    def reload(self, version):
        self.prices = self.load(version)

    def price(self, name):
        if name not in self.prices:
            raise UnknownName(name)
        return self.prices[name]


registry = Registry()
failed = []
done = threading.Event()


def ask():
    while not done.is_set():
        for name in NAMES:
            try:
                registry.price(name)
            except UnknownName as error:
                failed.append(error)


def refresh():
    for version in range(60):
        registry.reload(version)
    done.set()


threads = [threading.Thread(target=each) for each in (ask, ask, refresh)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed
