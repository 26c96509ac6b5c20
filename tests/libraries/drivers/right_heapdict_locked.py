"""Workers take the next task from one priority queue, and put further ones in, under a lock of their own.

requires: heapdict==1.0.1
include: heapdict
expect: nothing
"""

import threading

from heapdict import heapdict

TASKS = 1500
tasks = heapdict({f"task-{number}": (number * 7919) % TASKS for number in range(TASKS)})
lock = threading.Lock()
start = threading.Barrier(4)
done = [[] for _ in range(4)]


def work(mine):
    start.wait()
    while True:
        with lock:
            if not tasks:
                return
            name, urgency = tasks.popitem()
            if urgency and urgency % 9 == 0:
                tasks[f"{name}-again"] = urgency + 1
        mine.append(name)


threads = [threading.Thread(target=work, args=(mine,)) for mine in done]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
names = [name for mine in done for name in mine]
print(f"RESULT {len(names)} tasks were taken, {len(names) - len(set(names))} of them twice")
