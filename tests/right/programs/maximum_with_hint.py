"""A maximum: a look without the lock saves taking it; with it the value is compared again before it is replaced."""

import threading


class Highest:
    def __init__(self):
        self.lock = threading.Lock()
        self.value = 0
        self.holder = None

    def offer(self, value, holder):
        if value <= self.value:
            return False
        with self.lock:
            if value > self.value:
                self.value = value
                self.holder = holder
                return True
        return False


highest = Highest()
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(100):
        highest.offer(each * 4 + number, number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert (highest.value, highest.holder) == (399, 3)
