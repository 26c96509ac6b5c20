"""Threads render the same chart: the first to finish takes the state away under the others.

requires: pygal==3.1.3
include: pygal
expect: failed access, overwritten before read, stale check
at: pygal/graph/base.py, pygal/graph/public.py:PublicApi.render
"""

import threading
import time

import pygal


def hits(value):
    time.sleep(0.0005)
    return f"{value} hits"


chart = pygal.Bar(title="Visitors")
chart.add("Berlin", [3, 5, 2, 7], formatter=hits)
charts = []
failures = []


def serve():
    for _ in range(4):
        try:
            charts.append(chart.render())
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=serve) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 8 charts failed, e.g. {failures[:1]!r:.120}")
