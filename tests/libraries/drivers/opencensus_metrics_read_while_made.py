"""Metrics are read as threads record the first value of a tag: the dictionary that is read changes its size.

requires: opencensus==0.11.4
include: opencensus
expect: changed while iterated, unguarded iteration, failed access
at: opencensus/stats/metric_utils.py, opencensus/stats/view_data.py, opencensus/stats/measure_to_view_map.py
"""

import threading

from opencensus.stats import aggregation, measure, stats, view
from opencensus.tags import tag_key, tag_map, tag_value

sizes = measure.MeasureInt("size", "of an answer", "By")
USER = tag_key.TagKey("user")
by_user = view.View("sizes", "by user", [USER], sizes, aggregation.SumAggregation())
stats.stats.view_manager.register_view(by_user)
recorder = stats.stats.stats_recorder
VALUES = 120
ended = threading.Event()
read = []
failures = []
not_recorded = []


def record(place):
    for number in range(VALUES):
        tags = tag_map.TagMap()
        tags.insert(USER, tag_value.TagValue(f"user-{place}-{number}"))
        measurements = recorder.new_measurement_map()
        measurements.measure_int_put(sizes, number)
        try:
            measurements.record(tags)
        except RuntimeError as error:
            not_recorded.append(error)


def export():
    while not ended.is_set():
        try:
            read.append(sum(len(metric.time_series) for metric in stats.stats.get_metrics()))
        except RuntimeError as error:
            failures.append(error)


exporter = threading.Thread(target=export)
threads = [threading.Thread(target=record, args=(place,)) for place in range(2)]
for thread in [*threads, exporter]:
    thread.start()
for thread in threads:
    thread.join()
ended.set()
exporter.join()
print(f"RESULT metrics were read {len(read)} times, {len(failures)} failed, {len(not_recorded)} values are not in")
