"""Threads put into one tree: each goes down and hangs its node up, and writes over what another hung there.

requires: bintrees==2.2.0
include: bintrees
expect: lost update, stale check, failed access, overwritten before read
at: bintrees/rbtree.py:RBTree.insert, bintrees/rbtree.py:jsw_single, bintrees/rbtree.py:jsw_double
"""

import threading
from functools import total_ordering

from bintrees import RBTree


@total_ordering
class Version:
    def __init__(self, number):
        self.major, self.minor = divmod(number, 50)

    def __eq__(self, other):
        return (self.major, self.minor) == (other.major, other.minor)

    def __lt__(self, other):
        return (self.major, self.minor) < (other.major, other.minor)


tree = RBTree()
KEYS = 1500
ready = threading.Barrier(4)
failed, found = [], []


def put(place):
    ready.wait()
    for number in range(KEYS):
        try:
            tree.insert(Version(number * 4 + place), place)
        except Exception as error:
            failed.append(error)


def look():
    found.append(sum(1 for key in range(4 * KEYS) if tree.get(Version(key)) is not None))


threads = [threading.Thread(target=put, args=(place,), daemon=True) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
turning = sum(thread.is_alive() for thread in threads)
if not turning:
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(2)
print(
    f"RESULT {found[0] if found else 'nobody knows how many'} keys of {4 * KEYS} are there, "
    f"{len(failed)} failed, {turning} go round for ever"
)
