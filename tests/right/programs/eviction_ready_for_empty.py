"""A cache of pure values evicts any entry while it is too large.

It is ready to find the entry gone or the dict empty.
"""

import threading

cache = {}
LIMIT = 10


def digits(number):
    value = cache.get(number)
    if value is None:
        value = cache[number] = tuple(map(int, str(number)))
        while len(cache) > LIMIT:
            try:
                cache.popitem()
            except KeyError:
                break
    return value


wrong = []
ready = threading.Barrier(4)


def work(step):
    ready.wait()
    for turn in range(90):
        number = turn * step % 37 + 100
        if digits(number) != tuple(map(int, str(number))):
            wrong.append(number)


threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 3, 5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong and len(cache) <= LIMIT + 4
