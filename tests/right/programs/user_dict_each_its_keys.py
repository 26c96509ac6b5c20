"""Threads that share a UserDict, each with keys of its own; all of them are read when the threads have ended."""

import threading
import time
from collections import UserDict

results = UserDict()


def work(name):
    for number in range(50):
        key = name, number % 10
        results[key] = results[key] + number if key in results else number
        time.sleep(0)
    del results[name, 0]


threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(results.values()))
