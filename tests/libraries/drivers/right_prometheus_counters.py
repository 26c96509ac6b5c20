"""Counters, gauges and histograms with labels, used by threads and collected meanwhile.

requires: prometheus-client==0.26.0
include: prometheus_client
expect: nothing
"""

import threading

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

registry = CollectorRegistry()
requests = Counter("requests", "how many", ["path"], registry=registry)
underway = Gauge("underway", "how many", registry=registry)
latency = Histogram("latency", "how long", registry=registry)


def serve(place):
    for number in range(300):
        with underway.track_inprogress():
            requests.labels(f"/{number % 17}").inc()
            latency.observe(number % 5)
        if number % 50 == place:
            generate_latest(registry)


threads = [threading.Thread(target=serve, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
total = sum(
    sample.value for metric in requests.collect() for sample in metric.samples if sample.name.endswith("_total")
)
print(f"RESULT {total:.0f} of 1200 requests were counted")
