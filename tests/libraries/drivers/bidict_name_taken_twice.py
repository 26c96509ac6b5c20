"""A name that only one may have is given to two threads.

requires: bidict==0.24.1
include: bidict
expect: stale check, write skew, unguarded check
at: bidict/_base.py, bidict/_bidict.py
"""

import threading

from bidict import ValueDuplicationError, bidict

names = bidict()
given = []
ready = threading.Barrier(4)
ROUNDS = 1000


def work(place):
    for number in range(ROUNDS):
        if number % 50 == 0:
            ready.wait()
        try:
            names.put((place, number), f"name{number}")
            given.append(number)
        except ValueDuplicationError:
            pass


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(given)} times a name was given, of {ROUNDS} names; {len(names)} have one")
