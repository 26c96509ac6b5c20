"""A missing child is made by two threads: what the one puts into it is gone.

requires: addict==2.4.0
include: addict
expect: stale check, unguarded check
at: addict/addict.py
"""

import threading

from addict import Dict

ROUNDS = 8000
pages = [Dict() for _ in range(ROUNDS)]


def count(name):
    for page in pages:
        page.counts[name] = 1


threads = [threading.Thread(target=count, args=(name,)) for name in ("views", "likes", "links")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(3 - len(page.counts) for page in pages)
print(f"RESULT {lost} of {3 * ROUNDS} counts are gone")
