"""An event's handlers are cleared in place while another thread fires it.

requires: axel==0.0.7
include: axel
expect: changed while iterated, failed access
at: axel/axel.py:Event.fire
"""

import threading

from axel import Event

event = Event(threads=0)
failures = []
ready = threading.Barrier(2)


def handle(number):
    return sum(range(number % 600))


handlers = [lambda number, plus=plus: handle(number + plus) for plus in range(12)]


def fire():
    ready.wait()
    for number in range(3000):
        try:
            event(number)
        except (RuntimeError, KeyError) as error:
            failures.append(error)


def change():
    ready.wait()
    for _ in range(400):
        for handler in handlers:
            event.handle(handler)
        event.clear()


threads = [threading.Thread(target=fire), threading.Thread(target=change)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed")
