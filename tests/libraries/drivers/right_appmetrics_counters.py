"""Threads count and measure by metrics that they share, which do so under locks.

requires: AppMetrics==0.5.0
include: appmetrics
expect: nothing
"""

import threading

from appmetrics import metrics

metrics.new_counter("orders")
metrics.new_gauge("last order")
ORDERS = 700
failures = []


def work(place):
    for number in range(ORDERS):
        try:
            metrics.notify("orders", 1)
            metrics.notify("last order", (place, number))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {metrics.get('orders')['value']} of {4 * ORDERS} orders were counted, {len(failures)} failed")
