"""Threads file under the same new branch of a map: the branch is made twice, and what is in one is lost.

requires: dotmap==1.3.30
include: dotmap
expect: stale check, unguarded check
at: dotmap/__init__.py
"""

# A look at a key that is not there makes a map for it. Two threads that look at the same key each make one; the
# second replaces the first, with what was put into it.

import threading

from dotmap import DotMap

ROUNDS = 12_000
start = threading.Barrier(4)
tree = DotMap()


def file(mine):
    start.wait()
    for number in range(ROUNDS):
        tree[f"host-{number}"][f"worker-{mine}"] = number


threads = [threading.Thread(target=file, args=(mine,)) for mine in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kept = sum(len(tree[f"host-{number}"]) for number in range(ROUNDS))
print(f"RESULT {4 * ROUNDS - kept} of {4 * ROUNDS} entries are lost")
