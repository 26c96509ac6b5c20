"""Two reporters tick the same meter: the average takes the step of only one of them.

requires: pyformance==0.4, setuptools==80.9.0
include: pyformance
expect: lost update, unguarded update
at: pyformance/stats/moving_average.py:ExpWeightedMovingAvg.tick
"""

import threading

from pyformance import MetricsRegistry

registry = MetricsRegistry()
meter = registry.meter("requests")
rates = []


def report():
    for _ in range(3000):
        meter.mark()
        meter.tick()
        rates.append(meter.get_one_minute_rate())


threads = [threading.Thread(target=report) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT the rate is {rates[-1]:.0f} after {len(rates)} ticks")
