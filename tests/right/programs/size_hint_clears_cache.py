"""A cache of a pure function is cleared if it has grown too large. The size is a hint: a little more does no harm."""

import threading

cache = {}
LIMIT = 20


def collatz(number):
    try:
        return cache[number]
    except KeyError:
        pass
    steps, current = 0, number
    while current != 1:
        current = current // 2 if current % 2 == 0 else 3 * current + 1
        steps += 1
    if len(cache) > LIMIT:
        cache.clear()
    cache[number] = steps
    return steps


expected = [collatz(number) for number in range(1, 40)]
wrong = []


def work():
    for number in range(1, 40):
        if collatz(number) != expected[number - 1]:
            wrong.append(number)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
