"""Each thread counts for itself; the counters are added up when all have ended."""

import threading
from collections import Counter

counters = {name: Counter() for name in "abc"}


def count(name):
    own = counters[name]
    for number in range(60):
        own.update({f"word {number % 5}": 1, name: number})
        own.subtract({name: 1})


threads = [threading.Thread(target=count, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
total = Counter()
for thread, name in zip(threads, "abc", strict=True):
    thread.join()
    total.update(counters[name])
print(total["word 0"])
