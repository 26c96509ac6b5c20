"""The keys of a dictionary with a lock are handed out as a view: another thread adds one while they are gone through.

requires: ttldict==0.3.0
include: ttldict
expect: changed while iterated, unguarded iteration
at: ttldict_keys_view.py, ttldict/__init__.py
"""

import threading

from ttldict import TTLOrderedDict

sessions = TTLOrderedDict(60)
failures = []


def log_in(place):
    for number in range(1500):
        sessions[f"{place}.{number}"] = number


def show():
    for _ in range(150):
        try:
            count = 0
            for _key in sessions.keys():
                count += 1
        except RuntimeError as error:
            failures.append(error)


threads = [threading.Thread(target=log_in, args=(place,)) for place in range(2)]
threads += [threading.Thread(target=show) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 300 lists failed")
