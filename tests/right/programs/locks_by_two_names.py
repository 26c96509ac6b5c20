"""Locks by name that live as long as somebody has them: those of two names are used at the same time."""

import threading
import time
import weakref


class Locks:
    def __init__(self):
        self.lock = threading.Lock()
        self.by_name = weakref.WeakValueDictionary()

    def get(self, name):
        with self.lock:
            found = self.by_name.get(name)
            if found is None:
                found = self.by_name[name] = threading.Semaphore()
            return found


locks = Locks()
totals = {"red": 0, "blue": 0}


def count(name):
    with locks.get(name):
        time.sleep(0)
        totals[name] = int(str(totals[name])) + 1


def work(first, second):
    for _ in range(100):
        count(first)
        time.sleep(0.0002)  # nobody has the lock meanwhile, and the next one is another object
        count(second)


names = [("red", "blue"), ("blue", "red"), ("red", "blue")]
threads = [threading.Thread(target=work, args=each) for each in names]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert totals == {"red": 300, "blue": 300}
