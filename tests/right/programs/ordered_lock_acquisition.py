"""Philosophers take the lower-numbered fork first, so there is no circle."""

import threading

forks = [threading.Lock() for _ in range(5)]
uses = [0] * 5
meals = {}


def dine(seat):
    first, second = sorted((seat, (seat + 1) % 5))
    eaten = 0
    for _ in range(40):
        with forks[first], forks[second]:
            uses[first] += 1
            uses[second] += 1
            eaten += 1
    meals[seat] = eaten


threads = [threading.Thread(target=dine, args=(seat,)) for seat in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert uses == [80] * 5 and meals == dict.fromkeys(range(5), 40)
