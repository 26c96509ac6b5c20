"""Threads ask a map for the smallest free number: two objects get the same one.

requires: boltons==26.2.0
include: boltons.cacheutils
expect: stale check, unguarded check, lost update, unguarded update
at: boltons/cacheutils.py:MinIDMap.get
"""

# MinIDMap promises that no two objects have the same number at the same time. A new number is the length of the map,
# which is asked for before the object is put in: who comes in between gets the same length.

import threading

from boltons.cacheutils import MinIDMap


class Client:
    pass


CLIENTS = 3000
numbers = MinIDMap()
clients = [[Client() for _ in range(CLIENTS)] for _ in range(4)]
start = threading.Barrier(4)
failures = []


def work(place):
    start.wait()
    for client in clients[place]:
        try:
            numbers.get(client)
        except (KeyError, RuntimeError) as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
given = [number for _, number in numbers.iteritems()]
print(f"RESULT {len(set(given))} numbers for {len(given)} clients, {len(failures)} failed")
