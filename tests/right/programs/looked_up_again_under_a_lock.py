"""Who finds nothing takes the lock, and calls what looks again, perhaps under another key, before it makes anything."""

import threading


class Sum:
    def __init__(self):
        self.value = 0
        self.lock = threading.Lock()

    def add(self, amount):
        with self.lock:
            self.value += amount


class Meter:
    LIMIT = 30

    def __init__(self):
        self.sums = {}
        self.lock = threading.Lock()

    def add(self, name, amount):
        found = self.sums.get(name)
        if found is None:
            with self.lock:
                found = self._get_or_make(name)
        found.add(amount)

    def _get_or_make(self, name):
        found = self.sums.get(name)
        if found is not None:
            return found
        if len(self.sums) >= self.LIMIT:
            name = "others"
            found = self.sums.get(name)
            if found is not None:
                return found
        self.sums[name] = made = Sum()
        return made


meter = Meter()
ready = threading.Barrier(3)


def work():
    for number in range(60):
        if number % 10 == 0:
            ready.wait()
        meter.add(f"shop {number % 40}", 1)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sum(each.value for each in meter.sums.values()) == 180
