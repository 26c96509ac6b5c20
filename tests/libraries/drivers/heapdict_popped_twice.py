"""Workers take the next task from one priority queue: two take the same, and the second one fails.

requires: heapdict==1.0.1
include: heapdict
expect: failed access, stale check, unguarded check, lost update, unguarded update
at: heapdict.py:heapdict.popitem
"""

# The first of the heap is read, the heap is put in order in further calls, and then the key is taken out. Another
# worker in between has read the same first: its key is gone (KeyError), and a task is left in one half of the queue.

import threading

from heapdict import heapdict

TASKS = 20_000
tasks = heapdict({f"task-{number}": (number * 7919) % TASKS for number in range(TASKS)})
start = threading.Barrier(4)
done = []
failures = []


def work():
    start.wait()
    for _ in range(TASKS // 4):
        try:
            done.append(tasks.popitem()[0])
        except (KeyError, IndexError) as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(done))} of {TASKS} tasks were taken, {len(failures)} takes failed: {failures[:1]}")
