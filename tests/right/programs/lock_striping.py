"""A table of counters has eight locks: that of a key's stripe is held while its counter is changed."""

import threading


class StripedCounter:
    def __init__(self, stripes=8):
        self.locks = [threading.Lock() for _ in range(stripes)]
        self.tables = [{} for _ in range(stripes)]

    def add(self, key, amount=1):
        stripe = key % len(self.locks)
        with self.locks[stripe]:
            table = self.tables[stripe]
            if key in table:
                table[key] += amount
            else:
                table[key] = amount

    def total(self):
        total = 0
        for lock, table in zip(self.locks, self.tables, strict=True):
            with lock:
                total += sum(table.values())
        return total


counter = StripedCounter()


def work(offset):
    for number in range(100):
        counter.add((number + offset) % 30)
        if number == 50:
            assert counter.total() > 0


threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert counter.total() == 400
