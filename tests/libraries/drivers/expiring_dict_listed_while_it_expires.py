"""A thread lists the sessions of a dictionary that expires, while others begin new ones, and old ones expire.

requires: expiring-dict==1.1.2
include: expiring_dict
expect: changed while iterated, unguarded iteration, failed access
at: expiring_dict/expiringdict.py
"""

# Sessions are put in, and thrown out by a thread of the dictionary, under its lock; a walk through it takes no lock. It
# fails with RuntimeError, or with KeyError if the next one has expired before its value is looked up.

import threading

from expiring_dict import ExpiringDict

SESSIONS = 12_000
sessions = ExpiringDict(ttl=0.03, interval=0.005)
start = threading.Barrier(3)
over = threading.Event()
failures = []
lists = []


def serve(mine):
    start.wait()
    for number in range(SESSIONS):
        sessions[f"{mine}-{number}"] = number
    over.set()


def watch():
    start.wait()
    while not over.is_set():
        try:
            lists.append([session for session, number in sessions.items() if number % 2])
        except (RuntimeError, KeyError) as error:
            failures.append(error)


threads = [threading.Thread(target=serve, args=(mine,)) for mine in range(2)]
threads.append(threading.Thread(target=watch))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {len(failures) + len(lists)} lists failed: {failures[:1]}")
