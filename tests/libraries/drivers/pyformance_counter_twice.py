"""A counter is made by two threads at once: what one of them counts in the first is never seen.

requires: pyformance==0.4, setuptools==80.9.0
include: pyformance
expect: stale check, unguarded check
at: pyformance/registry.py:MetricsRegistry.counter
"""

import threading

from pyformance import MetricsRegistry

registry = MetricsRegistry()
PATHS = [f"/pages/{number}" for number in range(2500)]


def serve():
    for path in PATHS:
        registry.counter(path).inc()


threads = [threading.Thread(target=serve) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counted = sum(registry.counter(path).get_count() for path in PATHS)
print(f"RESULT {counted} of {4 * len(PATHS)} requests were counted")
