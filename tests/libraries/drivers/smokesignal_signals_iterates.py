"""A callback is disconnected while another thread connects one to a signal that is new.

requires: smokesignal==0.7.0
include: smokesignal
expect: changed while iterated, unguarded iteration
at: smokesignal.py
"""

import threading

import smokesignal

failures = []


def plugin(place):
    def handle():
        pass

    for number in range(600):
        try:
            smokesignal.on(f"signal {place}.{number}", handle)
            if number % 4 == 3:
                smokesignal.disconnect(handle)
        except RuntimeError as error:
            failures.append(error)


threads = [threading.Thread(target=plugin, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed")
