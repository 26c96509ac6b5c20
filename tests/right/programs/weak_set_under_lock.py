"""The workers that live, in a WeakSet; it is changed and gone over under a lock."""

import threading
import weakref

lock = threading.Lock()
alive = weakref.WeakSet()


class Worker:
    def __init__(self):
        self.done = 0
        with lock:
            alive.add(self)

    def stop(self):
        with lock:
            alive.discard(self)


def work():
    for _ in range(20):
        workers = [Worker() for _ in range(3)]
        with lock:
            for worker in alive:
                worker.done += 1
        workers[0].stop()


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
