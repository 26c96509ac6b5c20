"""A union finds both roots first, and hangs a root under another one though it hangs elsewhere by now.

requires: disjoint-set==0.9.0
include: disjoint_set
expect: lost update, stale check, unrepeatable read, overwritten before read
at: disjoint_set/main.py:DisjointSet.union, disjoint_set/main.py:DisjointSet.find
"""

import random
import threading
from dataclasses import dataclass

from disjoint_set import DisjointSet


@dataclass(frozen=True)
class Record:
    source: str
    number: int


PEOPLE, COPIES = 5, 4000
records = [[Record(f"file{copy % 4}", person * COPIES + copy) for copy in range(COPIES)] for person in range(PEOPLE)]
pairs = [(copies[0], copies[at]) for copies in records for at in range(1, COPIES)]
random.Random(7).shuffle(pairs)
people = DisjointSet()
ready = threading.Barrier(4)


def join(place):
    ready.wait()
    for one, other in pairs[place::4]:
        people.union(one, other)


def count():
    found.append(len({people.find(record) for copies in records for record in copies}))


found = []
threads = [threading.Thread(target=join, args=(place,), daemon=True) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
turning = sum(thread.is_alive() for thread in threads)
if not turning:
    counting = threading.Thread(target=count, daemon=True)
    counting.start()
    counting.join(2)
print(
    f"RESULT {found[0] if found else 'no'} people are found, not {PEOPLE}; {turning} go round for ever",
    flush=True,
)
