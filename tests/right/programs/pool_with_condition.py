"""A pool makes objects up to a limit, and then waits under its condition until one is given back."""

import threading


class Pool:
    def __init__(self, make, limit):
        self.make = make
        self.limit = limit
        self.made = 0
        self.idle = []
        self.available = threading.Condition()

    def acquire(self):
        with self.available:
            while not self.idle:
                if self.made < self.limit:
                    self.made += 1
                    return self.make()
                self.available.wait()
            return self.idle.pop()

    def release(self, item):
        with self.available:
            self.idle.append(item)
            self.available.notify()


pool = Pool(list, 3)
lengths = []


def work(number):
    for each in range(40):
        item = pool.acquire()
        item.append((number, each))
        lengths.append(len(item))
        pool.release(item)


threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert pool.made <= 3 and sum(len(item) for item in pool.idle) == 200
