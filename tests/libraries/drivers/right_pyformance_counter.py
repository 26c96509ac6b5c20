"""A counter and a histogram that exist already are used by several threads: they have locks.

requires: pyformance==0.4, setuptools==80.9.0
include: pyformance
expect: nothing
"""

import threading

from pyformance import MetricsRegistry

registry = MetricsRegistry()
registry.counter("requests")
registry.histogram("sizes")


def serve():
    for number in range(300):
        registry.counter("requests").inc()
        registry.histogram("sizes").add(number)


threads = [threading.Thread(target=serve) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {registry.counter('requests').get_count()} requests, {registry.histogram('sizes').get_count():.0f} sizes"
)
