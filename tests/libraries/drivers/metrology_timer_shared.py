"""A timer keeps when it was started: another thread that starts it overwrites that.

requires: metrology==1.3.0, setuptools==80.9.0
include: metrology
expect: overwritten before read, unguarded own write
at: metrology/instruments/timer.py:Timer.__enter__, metrology/instruments/timer.py:Timer.__exit__
"""

import threading
import time

from metrology import Metrology

timer = Metrology.timer("requests")
short = []


def work(place):
    for number in range(60):
        with timer:
            time.sleep(0.004 if place % 2 else 0.001)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {timer.count} timed, from {timer.min * 1000:.2f} ms on")
