"""A thread freezes a versioned dictionary, without its lock, while others update it under the lock.

requires: extradict==0.7.0
include: extradict
expect: changed while iterated, unguarded iteration, failed access, inconsistent locking
at: extradict/version_dict.py
"""

# All changes are made under the lock of the dictionary. freeze() goes through the same data without it: it fails if a
# key is added meanwhile, or finds a key whose first value is not there yet.

import threading

from extradict import VersionDict

ROUNDS = 2500
prices = VersionDict({f"item-{number}": number for number in range(50)})
over = threading.Event()
start = threading.Barrier(4)
failures = []
copies = []


def update(mine):
    start.wait()
    for number in range(ROUNDS):
        prices.update({f"new-{mine}-{number}": number})
    over.set()


def freeze():
    start.wait()
    while not over.is_set():
        try:
            copies.append(len(prices.freeze()))
        except (RuntimeError, IndexError) as error:
            failures.append(error)


threads = [threading.Thread(target=update, args=(mine,)) for mine in range(2)]
threads += [threading.Thread(target=freeze) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {len(failures) + len(copies)} copies failed: {failures[:1]}")
