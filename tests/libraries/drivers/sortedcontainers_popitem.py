"""Two workers take the first item of a sorted dict: both find the same key, and one of them fails.

requires: sortedcontainers==2.4.0
include: sortedcontainers
expect: failed access, unguarded check, stale check
at: sortedcontainers/sorteddict.py, sortedcontainers/sortedlist.py, sortedcontainers_popitem.py
"""

import threading

from sortedcontainers import SortedDict

jobs = SortedDict((number, str(number)) for number in range(12000))
failures = []
done = []


def work():
    while jobs:
        try:
            done.append(jobs.popitem(0)[0])
        except (KeyError, IndexError, ValueError) as error:
            failures.append(error)
            if len(failures) > 100:
                break


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = sorted({type(error).__name__ for error in failures})
print(f"RESULT {len(failures)} jobs failed to be taken ({kinds}), {len(done) - len(set(done))} were taken twice")
