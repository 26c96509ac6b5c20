"""Threads put points in series that are named after their hosts: one counts the series as another begins a new one.

requires: influxdb==5.3.2
include: influxdb
expect: changed while iterated, unguarded iteration, failed access, stale container, unguarded change
at: influxdb/helper.py
"""

# Each point that is put in counts the points of all series, to see if it is time to commit. The count fails if another
# thread begins a series meanwhile. What is put in during a commit, after the JSON is made, is not even sent.

import threading

from influxdb import InfluxDBClient, SeriesHelper

POINTS = 3000
written = []
failures = []


class Client(InfluxDBClient):
    def write_points(self, points, **options):
        written.extend(point["fields"]["number"] for point in points)
        return True


class Load(SeriesHelper):
    class Meta:
        client = Client()
        series_name = "load.{host}"
        fields = ["number"]
        tags = ["host"]
        bulk_size = 50
        autocommit = True


Load(host="main", number=-1)
start = threading.Barrier(4)


def work(mine):
    start.wait()
    for number in range(POINTS):
        try:
            Load(host=f"host-{number % 40}-{mine}", number=mine * POINTS + number)
        except (RuntimeError, KeyError) as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(mine,)) for mine in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
Load.commit()
lost = 4 * POINTS + 1 - len(set(written))
print(f"RESULT {len(failures)} of {4 * POINTS} points failed: {failures[:1]}, {lost} are lost")
