"""Threads add baggage to the same span: the context is read before the lock is taken, and some is lost.

requires: basictracer==3.2.0
include: basictracer
expect: lost update, unguarded update
at: basictracer/span.py:BasicSpan.set_baggage_item
"""

import threading

from basictracer import BasicTracer

ITEMS = 150
span = BasicTracer().start_span("request")
failures = []


def work(place):
    for number in range(ITEMS):
        try:
            span.set_baggage_item(f"item-{place}-{number}", str(number))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(span.context.baggage)} of {4 * ITEMS} items are there, {len(failures)} failed")
