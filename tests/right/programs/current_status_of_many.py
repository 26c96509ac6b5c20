"""Each worker keeps its status under its own name in one dict. A reporter copies the dict and counts."""

import collections
import threading

NAMES = ("red", "green", "blue")
status = dict.fromkeys(NAMES, "idle")
stop = threading.Event()
reports = []


def work(name):
    for number in range(60):
        status[name] = "busy" if number % 2 else "waiting"
    status[name] = "done"


def report():
    while not stop.wait(0.001):
        reports.append(collections.Counter(status.copy().values()))


reporter = threading.Thread(target=report)
reporter.start()
threads = [threading.Thread(target=work, args=(name,)) for name in NAMES]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stop.set()
reporter.join()
assert all(each.total() == 3 for each in reports)
assert set(status.values()) == {"done"}
