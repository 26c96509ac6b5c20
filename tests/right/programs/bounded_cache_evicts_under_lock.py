"""A bounded cache evicts its oldest entry. Lookup, insertion and eviction are under one lock."""

import collections
import threading


class Lru:
    def __init__(self, size):
        self.size = size
        self.data = collections.OrderedDict()
        self.lock = threading.Lock()
        self.evicted = 0

    def get(self, key, make):
        with self.lock:
            if key in self.data:
                self.data.move_to_end(key)
                return self.data[key]
        value = make(key)
        with self.lock:
            self.data[key] = value
            self.data.move_to_end(key)
            while len(self.data) > self.size:
                self.data.popitem(last=False)
                self.evicted += 1
            return value


lru = Lru(8)
wrong = []


def work(step):
    for number in range(80):
        key = number * step % 15
        if lru.get(key, str) != str(key):
            wrong.append(key)


threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong and len(lru.data) == 8 and lru.evicted > 0
