"""Threads move a branch on from what they saw, which is to fail if it has moved: two succeed, and a commit is lost.

requires: dulwich==1.2.21
include: dulwich.refs
expect: stale check, unguarded check
at: dulwich/refs.py:DictRefsContainer.set_if_equals
"""

# set_if_equals() is a compare-and-swap: it compares the branch with the old commit, checks the name, and sets the
# new one, without a lock. Two that compare before either sets both say that they succeeded.

import hashlib
import threading

from dulwich.repo import MemoryRepo

BRANCH = b"refs/heads/main"
ROUNDS = 3000
refs = MemoryRepo().refs
refs[BRANCH] = hashlib.sha1(b"first").hexdigest().encode()
start = threading.Barrier(3, timeout=20)
moved = []


def work(place):
    for number in range(ROUNDS):
        old = refs[BRANCH]
        start.wait()
        new = hashlib.sha1(f"{place} {number}".encode()).hexdigest().encode()
        if refs.set_if_equals(BRANCH, old, new):
            moved.append((number, place))
        start.wait()


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(moved)} commits were put on the branch in {ROUNDS} rounds")
