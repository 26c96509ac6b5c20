"""Each access of the dict is locked, but not the check and what is done by it.

requires: expiringdict==1.2.2
include: expiringdict
expect: stale check, unguarded check
at: expiringdict_get_or_make.py:count, expiringdict/__init__.py
"""

import threading

from expiringdict import ExpiringDict

hits = ExpiringDict(max_len=5000, max_age_seconds=60)
ROUNDS = 2000


def count():
    for number in range(ROUNDS):
        if number not in hits:
            hits[number] = []
        hits[number].append(threading.current_thread())


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(len(hits[number]) != 4 for number in range(ROUNDS))} of {ROUNDS} lists lack an entry")
