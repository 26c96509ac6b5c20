"""A histogram keeps the greatest value by a check and a write: a greater one is overwritten.

requires: datadog==0.56.0
include: datadog.threadstats
expect: stale check, unguarded check, lost update, unguarded update, unguarded check:gil-only, unguarded update:gil-only
at: datadog/threadstats/metrics.py:Histogram.add_point
"""

import threading

from datadog.threadstats.metrics import Histogram

histogram = Histogram("latency", None, "here")
top = [0] * 4


def measure(place):
    for number in range(6000):
        value = (number * 7919 + place) % 100003
        top[place] = max(top[place], value)
        histogram.add_point(value)


threads = [threading.Thread(target=measure, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT the greatest value was {max(top)}, the histogram says {histogram.max}")
