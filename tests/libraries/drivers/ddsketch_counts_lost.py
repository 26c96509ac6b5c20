"""Threads measure into one sketch that grows: measured values are lost from its bins, or get into a wrong one.

requires: ddsketch==3.0.1
include: ddsketch
expect: lost update, unguarded update, stale container, unguarded change, stale check, unguarded check
at: ddsketch/store.py
"""

# A value out of the range so far makes the store move its bins: it puts a shorter copy of the list there, then fills it
# up, and then sets the new offset. What another thread adds by the old offset, or to the old list, is lost or wrong.

import threading

from ddsketch import DDSketch

VALUES = 600
ROUNDS = 60
start = threading.Barrier(4)
sketches = [DDSketch() for _ in range(ROUNDS)]
failures = []


def measure(side):
    for sketch in sketches:
        start.wait()
        for number in range(VALUES):
            try:
                sketch.add(1.04 ** (number if side % 2 else -number))
            except (IndexError, ValueError) as error:
                failures.append(error)


threads = [threading.Thread(target=measure, args=(side,)) for side in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = 0
for sketch in sketches:
    wrong += not 0.5 < sketch.get_quantile_value(0.5) < 2
kept = [sum(sketch._store.bins) for sketch in sketches]
short = sum(4 * VALUES != each for each in kept)
print(f"RESULT {short} of {ROUNDS} sketches lost values, {wrong} medians are wrong, {len(failures)} values failed")
