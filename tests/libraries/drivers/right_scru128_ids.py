"""Threads draw ids from one generator, which locks itself.

requires: scru128==3.0.4
include: scru128
expect: nothing
"""

import threading

from scru128 import Scru128Generator

generator = Scru128Generator()
drawn = [[] for _ in range(4)]


def work(mine):
    for _ in range(400):
        mine.append(generator.generate())


threads = [threading.Thread(target=work, args=(mine,)) for mine in drawn]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ids = [one for mine in drawn for one in mine]
unordered = sum(mine != sorted(mine) for mine in drawn)
print(
    f"RESULT nothing went wrong: {len(ids) - len(set(ids))} of {len(ids)} ids were given twice, "
    f"{unordered} threads got theirs out of order"
)
