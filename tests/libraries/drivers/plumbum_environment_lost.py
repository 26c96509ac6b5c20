"""A thread sets a variable for good while another has one for a block: the end of the block takes both away.

requires: plumbum==2.0.2
include: plumbum
expect: lost update, unguarded update, stale container, overwritten before read, unguarded own write
at: plumbum/machines/env.py
"""

# At its start a block keeps a copy of the environment, and at its end puts the copy back in its place. Whatever other
# threads have set in between, and the variables of their blocks, are lost with it.

import threading

from plumbum import local

ROUNDS = 300
lost = []
start = threading.Barrier(3, timeout=20)


def block(place):
    start.wait()
    for number in range(ROUNDS):
        with local.env(**{f"BLOCK{place}": str(number)}):
            if local.env.get(f"BLOCK{place}") != str(number):
                lost.append(number)


def set_for_good():
    start.wait()
    for number in range(ROUNDS):
        local.env[f"SETTING{number}"] = "on"


threads = [threading.Thread(target=block, args=(place,)) for place in range(2)]
threads.append(threading.Thread(target=set_for_good))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kept = sum(f"SETTING{number}" in local.env for number in range(ROUNDS))
print(f"RESULT {kept} of {ROUNDS} settings are there; {len(lost)} of {2 * ROUNDS} blocks did not see their variable")
