"""Threads cover regions with the same coverer: one's cells are another's, or it fails.

requires: s2sphere==0.2.5
include: s2sphere
expect: overwritten before read, failed access, unguarded own write
at: s2sphere/sphere.py
"""

import threading
import time

import s2sphere


class Fence:
    def __init__(self, place):
        self.bound = s2sphere.LatLngRect(
            s2sphere.LatLng.from_degrees(place * 10, place * 10),
            s2sphere.LatLng.from_degrees(place * 10 + 9, place * 10 + 9),
        )

    def get_cap_bound(self):
        return self.bound.get_cap_bound()

    def contains(self, cell):
        return self.bound.contains(cell)

    def may_intersect(self, cell):
        time.sleep(0.0003)
        return self.bound.may_intersect(cell)


coverer = s2sphere.RegionCoverer()
coverer.max_cells = 4
coverer.max_level = 4
right = {place: coverer.get_covering(Fence(place)) for place in range(2)}
wrong = []
failures = []


def work(place):
    for _ in range(4):
        try:
            if coverer.get_covering(Fence(place)) != right[place]:
                wrong.append(place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 8 coverings are wrong, {len(failures)} failed, e.g. {failures[:1]!r:.90}")
