"""A reference with compare and set under a lock. Threads try again until nobody came in between."""

import threading


class Atomic:
    def __init__(self, value):
        self._lock = threading.Lock()
        self._value = value

    def get(self):
        return self._value

    def compare_and_set(self, expected, value):
        with self._lock:
            if self._value is not expected:
                return False
            self._value = value
            return True

    def update(self, function):
        while True:
            old = self.get()
            if self.compare_and_set(old, function(old)):
                return


head = Atomic(())


def work(number):
    for each in range(50):
        head.update(lambda old, item=(number, each): (item, old))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
items, node = [], head.get()
while node:
    item, node = node
    items.append(item)
assert sorted(items) == [(number, each) for number in range(4) for each in range(50)]
