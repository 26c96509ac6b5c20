"""A provider of increasing identifiers makes one under its lock, and reads it back after it has let it go.

requires: ulid-py==1.1.0
include: ulid
expect: overwritten before read, unguarded own write, inconsistent locking
at: ulid/providers/monotonic.py:Provider.randomness
"""

import threading

from ulid import monotonic

made = [[] for _ in range(4)]


def generate(mine):
    for _ in range(12000):
        mine.append(monotonic.new().int)


threads = [threading.Thread(target=generate, args=(mine,)) for mine in made]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
identifiers = [identifier for mine in made for identifier in mine]
print(f"RESULT {len(identifiers) - len(set(identifiers))} of {len(identifiers)} identifiers are there twice")
