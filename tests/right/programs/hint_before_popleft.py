"""A look at a deque saves the call; popleft may fail all the same, and the program is ready for that."""

import collections
import threading

ready_tasks = collections.deque(range(150))
done = []


def next_task():
    if not ready_tasks:
        return None
    try:
        return ready_tasks.popleft()
    except IndexError:
        return None


def work():
    while (task := next_task()) is not None:
        done.append(task)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(done) == list(range(150))
