"""Threads record in sensors that they get by name, under the locks of the registry and of each sensor.

requires: kafka-python==3.0.12
include: kafka
expect: nothing
"""

import threading

from kafka.metrics import Metrics
from kafka.metrics.stats import Avg, Count, Max

RECORDS = 1000
metrics = Metrics()
topics = [f"topic-{number}" for number in range(5)]
for topic in topics:
    sensor = metrics.sensor(topic)
    sensor.add(metrics.metric_name("count", topic), Count())
    sensor.add(metrics.metric_name("average", topic), Avg())
    sensor.add(metrics.metric_name("largest", topic), Max())
start = threading.Barrier(4)


def record(mine):
    start.wait()
    for number in range(RECORDS):
        metrics.sensor(topics[number % 5]).record(number)
        metrics.sensor(f"own-{mine}-{number % 3}").record(number)


threads = [threading.Thread(target=record, args=(mine,)) for mine in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counted = sum(metrics.metrics[metrics.metric_name("count", topic)].value() for topic in topics)
metrics.close()
print(f"RESULT {counted:.0f} of {4 * RECORDS} records")
