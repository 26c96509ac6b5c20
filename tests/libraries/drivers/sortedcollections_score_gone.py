"""Scores in one dictionary sorted by value: its list is sorted by scores that have changed meanwhile, updates fail.

requires: sortedcollections==2.1.0, sortedcontainers==2.4.0
include: sortedcollections, sortedcontainers
expect: failed access, stale check, overwritten before read, unguarded check
at: sortedcollections/recipes.py:ValueSortedDict.__setitem__
"""

import threading
import time

from sortedcollections import ValueSortedDict


def rank(score):
    time.sleep(0.0002)
    return -score


scores = ValueSortedDict(rank)
failures = []


def play(place):
    for number in range(40):
        try:
            scores[f"player {number % 4}"] = (number * 7 + place * 3) % 20
        except (KeyError, ValueError) as error:
            failures.append(error)


threads = [threading.Thread(target=play, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 120 updates failed, e.g. {failures[:1]!r:.80}, the names are {list(scores)}")
