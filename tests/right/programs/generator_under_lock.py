"""Threads share a generator. An iterator with a lock calls next() for one of them at a time."""

import threading


class Locked:
    def __init__(self, iterator):
        self.iterator = iterator
        self.lock = threading.Lock()

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            return next(self.iterator)


def primes():
    found = []
    number = 2
    while number < 600:
        if all(number % prime for prime in found):
            found.append(number)
            yield number
        number += 1


shared = Locked(primes())
taken = [[] for _ in range(4)]


def work(mine):
    for prime in shared:
        mine.append(prime)


threads = [threading.Thread(target=work, args=(mine,)) for mine in taken]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
together = sorted(number for mine in taken for number in mine)
assert together[:4] == [2, 3, 5, 7] and len(together) == len(set(together)) == 109
