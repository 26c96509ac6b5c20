"""What is measured while the aggregator submits is cleared away, and was not submitted.

requires: librato-metrics==3.1.0
include: librato
expect: lost update, unguarded update, stale container, unguarded change, stale check, unguarded check, write skew
at: librato/aggregator.py
"""

# submit() makes its payload, sends it, and then clear() replaces the measurements by an empty dictionary: what another
# thread has added since the payload was made is in no payload. add() also adds to the dictionary just replaced.

import threading
import time

from librato.aggregator import Aggregator

MEASURED = 3000
submitted = []


class Connection:
    """Stands for the service, which takes a millisecond to answer."""

    def _mexe(self, path, method, query_props):
        submitted.extend(gauge["count"] for gauge in query_props["gauges"])
        time.sleep(0.001)


aggregator = Aggregator(Connection())
finished = threading.Event()


def measure():
    for number in range(MEASURED):
        aggregator.add("latency", number)
        if number % 20 == 0:
            time.sleep(0.0005)


def submit():
    while not finished.wait(0.002):
        aggregator.submit()
    aggregator.submit()


threads = [threading.Thread(target=measure) for _ in range(3)]
submitter = threading.Thread(target=submit, daemon=True)
for thread in [*threads, submitter]:
    thread.start()
for thread in threads:
    thread.join()
finished.set()
submitter.join(5)
print(f"RESULT {sum(submitted)} of {3 * MEASURED} measurements were submitted")
