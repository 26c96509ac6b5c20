"""All rolls count in one context, which each sets to 0: one throws too much, or is refused for another's.

requires: d20==1.1.2, lark-parser==0.9.0, cachetools==8.0.2
include: d20
expect: overwritten before read, lost update, stale check
at: d20/dice.py:RollContext.reset, d20/dice.py:RollContext.count_roll
"""

import threading

import d20

ready = threading.Barrier(4)
refused, let_through = [], []


def roll(place):
    ready.wait()
    for _ in range(30):
        if place % 2:
            try:
                d20.roll("600d6")  # within the limit of 1000
            except d20.TooManyRolls as error:
                refused.append(error)
        else:
            try:
                d20.roll("600d6 + 600d6")  # over it
                let_through.append(place)
            except d20.TooManyRolls:
                pass


threads = [threading.Thread(target=roll, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(refused)} rolls of 60 were refused for another's, {len(let_through)} of 60 went over the limit")
