"""Threads draw numbers from the same accumulator: only the GIL lets no two of them draw the same.

requires: mimesis==22.2.0
include: mimesis
expect: unguarded update:gil-only, lost update, unguarded own write:gil-only, overwritten before read
at: mimesis/providers/numeric.py:Numeric.increment
"""

# The count in a dictionary is increased and then read again, in two statements without a lock.
# A build without the GIL gives the same number to two callers and loses increments; with it, CPython 3.11 to 3.14
# have no switch point there.

import threading

from mimesis import Numeric

numeric = Numeric()
DRAWS = 2000
start = threading.Barrier(4)
drawn = []


def work():
    start.wait()
    for _ in range(DRAWS):
        drawn.append(numeric.increment())


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(drawn))} different numbers of {len(drawn)}")
