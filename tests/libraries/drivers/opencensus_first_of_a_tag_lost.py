"""Threads record the first measurement of a tag: each makes the tag's data, and what is in the other's is lost.

requires: opencensus==0.11.4
include: opencensus
expect: stale check, unguarded check
at: opencensus/stats/view_data.py:ViewData.record
"""

import threading

from opencensus.stats import aggregation, measure, stats, view
from opencensus.tags import tag_key, tag_map, tag_value

requests = measure.MeasureInt("requests", "that were made", "1")
PATH = tag_key.TagKey("path")
by_path = view.View("requests", "by path", [PATH], requests, aggregation.CountAggregation())
stats.stats.view_manager.register_view(by_path)
recorder = stats.stats.stats_recorder
PATHS = 200
start = threading.Barrier(4)
failures = []


def work():
    start.wait()
    for number in range(PATHS):
        try:
            tags = tag_map.TagMap()
            tags.insert(PATH, tag_value.TagValue(f"path-{number}"))
            measurements = recorder.new_measurement_map()
            measurements.measure_int_put(requests, 1)
            measurements.record(tags)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
data = stats.stats.view_manager.get_view("requests").tag_value_aggregation_data_map
counted = sum(each.count_data for each in data.values())
print(f"RESULT {counted} of {4 * PATHS} requests were counted, {len(failures)} failed")
