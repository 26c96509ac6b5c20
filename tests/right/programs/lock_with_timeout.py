"""A lock is acquired with a timeout, in a loop until it is got, and released in finally."""

import threading


class Seats:
    def __init__(self, count):
        self.lock = threading.Lock()
        self.free = count
        self.sold = []
        self.waits = 0

    def buy(self, who):
        while not self.lock.acquire(timeout=5):
            pass
        try:
            if self.free == 0:
                return False
            self.free -= 1
            self.sold.append(who)
            return True
        finally:
            self.lock.release()


seats = Seats(100)
bought = []


def work(who):
    while seats.buy(who):
        bought.append(who)


threads = [threading.Thread(target=work, args=(who,)) for who in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(bought) == len(seats.sold) == 100 and seats.free == 0
