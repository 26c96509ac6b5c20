"""A reporter dumps all metrics while requests make new ones.

requires: pyformance==0.4, setuptools==80.9.0
include: pyformance
expect: changed while iterated, unguarded iteration
at: pyformance/registry.py
"""

import threading

from pyformance import MetricsRegistry

registry = MetricsRegistry()
failures = []
dumps = []
done = threading.Event()


def serve(place):
    for number in range(1500):
        registry.counter(f"/pages/{place}/{number}").inc()


def report():
    while not done.is_set():
        try:
            dumps.append(len(registry.dump_metrics()))
        except RuntimeError as error:
            failures.append(error)


reporter = threading.Thread(target=report)
reporter.start()
threads = [threading.Thread(target=serve, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
done.set()
reporter.join()
print(f"RESULT {len(failures)} of {len(dumps) + len(failures)} dumps failed")
