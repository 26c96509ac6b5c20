"""All handlers are listed while another thread registers one for a new event.

requires: observable==1.0.3
include: observable
expect: changed while iterated, unguarded iteration
at: observable/core.py:Observable.get_all_handlers
"""

import threading

from observable import Observable

events = Observable()
failures = []


def register(place):
    for number in range(2000):
        events.on(f"event {place}.{number}", print)


def show():
    for _ in range(300):
        try:
            events.get_all_handlers()
        except RuntimeError as error:
            failures.append(error)


threads = [threading.Thread(target=register, args=(place,)) for place in range(2)]
threads += [threading.Thread(target=show) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 600 lists failed")
