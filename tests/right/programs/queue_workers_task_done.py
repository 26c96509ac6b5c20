"""Workers on a queue.Queue; the main thread joins the queue, and reads what they have gathered."""

import queue
import threading

tasks = queue.Queue()
gathered = {}


def worker():
    while True:
        task = tasks.get()
        try:
            if task is None:
                return
            gathered[task] = task**2
        finally:
            tasks.task_done()


threads = [threading.Thread(target=worker) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(100):
    tasks.put(number)
tasks.join()
assert gathered == {number: number**2 for number in range(100)}
gathered.clear()
for number in range(50):
    tasks.put(number)
tasks.join()
assert len(gathered) == 50
for _ in threads:
    tasks.put(None)
for thread in threads:
    thread.join()
