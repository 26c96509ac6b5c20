"""Threads go through all processes: there is to be one object for each, but each thread makes its own of a new one.

requires: psutil==5.9.5
include: psutil
expect: lost update, unguarded update, stale check, unguarded check, write skew
at: psutil/__init__.py:process_iter
"""

# process_iter() copies the global table of known processes, adds the new ones to its copy, and at the end puts the copy
# in the table's place. Of two iterations at a time the last one wins: what the other has added and given out is lost,
# and with it what these objects know (the processor time when they were last asked).

import subprocess
import threading

import psutil

ROUNDS = 12
start = threading.Barrier(3, timeout=20)
children = []
seen = [[] for _ in range(ROUNDS)]


def work(place):
    for number in range(ROUNDS):
        if place == 0:
            children.append(subprocess.Popen(["sleep", "20"]))
        start.wait()
        pid = children[number].pid
        seen[number].append(next(process for process in list(psutil.process_iter()) if process.pid == pid))
        start.wait()


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for child in children:
    child.kill()
    child.wait()
made = sum(len(set(map(id, processes))) for processes in seen)
print(f"RESULT {made} objects for {ROUNDS} processes")
