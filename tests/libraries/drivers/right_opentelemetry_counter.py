"""Threads add to counters and histograms of one meter, which adds up under its locks.

requires: opentelemetry-sdk==1.45.2
include: opentelemetry
expect: nothing
"""

import threading

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

reader = InMemoryMetricReader()
meter = MeterProvider(metric_readers=[reader]).get_meter("shop")
orders = meter.create_counter("orders")
prices = meter.create_histogram("prices")
ORDERS = 150
failures = []


def work(place):
    for number in range(ORDERS):
        try:
            orders.add(1, {"shop": str(number % 3)})
            prices.record(number % 40, {"shop": str(place % 2)})
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
(resource,) = reader.get_metrics_data().resource_metrics
metrics = {metric.name: metric.data.data_points for metric in resource.scope_metrics[0].metrics}
counted = sum(point.value for point in metrics["orders"])
recorded = sum(point.count for point in metrics["prices"])
print(f"RESULT {counted} of {4 * ORDERS} orders, {recorded} of {4 * ORDERS} prices, {len(failures)} failed")
