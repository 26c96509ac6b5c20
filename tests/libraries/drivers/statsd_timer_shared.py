"""One timer is started by each request: another one's start comes before the stop.

requires: statsd==4.0.1
include: statsd
expect: overwritten before read, unguarded own write
at: statsd/client/timer.py
"""

import threading

from statsd import StatsClient

client = StatsClient("127.0.0.1", 18125)
timer = client.timer("request")
failures = []
short = []


def handle():
    for _ in range(4000):
        timer.start()
        total = sum(range(400))
        try:
            timer.stop()
        except RuntimeError as error:
            failures.append(error)
        if timer.ms is None or total < 0:
            short.append(total)


threads = [threading.Thread(target=handle) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 12000 stops failed, {len(short)} times were gone")
