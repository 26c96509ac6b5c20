"""A handler is subscribed while another thread emits the event: the emitting thread fails half way.

requires: event-bus==1.0.2
include: event_bus
expect: changed while iterated, unguarded iteration, failed access
at: event_bus/bus.py
"""

# emit() goes through the set of the event's functions itself, and calls them as it goes. Whoever subscribes in the
# meantime changes the set: RuntimeError, and the functions that were not reached yet are not called.

import threading

from event_bus import EventBus

EVENTS = 400
bus = EventBus()
failures = []
told = []
start = threading.Barrier(3, timeout=20)


def handler(number):
    def on_price(price):
        told.append(number + price)

    return on_price


for number in range(20):
    bus.add_event(handler(number), "price")


def emit():
    start.wait()
    for number in range(EVENTS):
        try:
            bus.emit("price", number)
        except RuntimeError as error:
            failures.append(error)


def subscribe():
    start.wait()
    for number in range(300):
        bus.add_event(handler(number), "price")


threads = [threading.Thread(target=work) for work in (emit, emit, subscribe)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {2 * EVENTS} events failed half way")
