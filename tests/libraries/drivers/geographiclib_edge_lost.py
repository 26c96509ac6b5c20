"""Threads add the ways that they measure to a track: each starts where the last ended, and two start at the same.

requires: geographiclib==2.1
include: geographiclib
expect: lost update
at: geographiclib/polygonarea.py:PolygonArea.AddEdge
"""

import threading

from geographiclib.geodesic import Geodesic

track = Geodesic.WGS84.Polygon(True)
track.AddPoint(10.0, 11.0)
EDGES = 800
ready = threading.Barrier(4)


def drive():
    ready.wait()
    for _ in range(EDGES):
        track.AddEdge(0, 10.0)


threads = [threading.Thread(target=drive) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
_, length, _ = track.Compute()
latitude, longitude = track.lat1, track.lon1
away = Geodesic.WGS84.Inverse(10.0, 11.0, latitude, longitude)["s12"]
print(f"RESULT {length:.0f} m were driven to the north, but the end is {away:.0f} m from the start")
