"""Events are added while a flush takes the list of them away.

requires: datadog==0.56.0
include: datadog.threadstats
expect: unguarded change, stale container
at: datadog/threadstats/events.py
"""

import threading
import time

from datadog.threadstats.events import EventsAggregator

ADDED = 10_000
events = EventsAggregator()
failures = []
flushed = []
barrier = threading.Barrier(2)
done = threading.Event()


def add():
    barrier.wait()
    try:
        for number in range(ADDED):
            events.add_event(title="event", text=str(number))
    except Exception as error:
        failures.append(error)
    done.set()


def flush():
    barrier.wait()
    while not done.is_set():
        try:
            flushed.append(len(events.flush()))
        except Exception as error:
            failures.append(error)
        time.sleep(0.001)


threads = [threading.Thread(target=each) for each in (add, flush)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
flushed.append(len(events.flush()))
print("RESULT", sum(flushed), "of", ADDED, "events", len(failures), "failures")
