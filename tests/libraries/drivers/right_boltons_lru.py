"""A bounded cache with a lock of its own, which calls what makes a missing value under it.

requires: boltons==26.2.0
include: boltons.cacheutils
expect: nothing
"""

import threading

from boltons.cacheutils import LRU

squares = LRU(max_size=30, on_miss=lambda number: number * number)
wrong = []


def use(seed):
    for number in range(1500):
        key = number * seed % 97
        if squares[key] != key * key:
            wrong.append(key)
        squares.pop(number % 50, None)


threads = [threading.Thread(target=use, args=(seed,)) for seed in (1, 3, 5, 7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} values are wrong, {len(squares)} are kept")
