"""Callbacks are connected, called and disconnected, each under one lock of the program's.

requires: smokesignal==0.7.0
include: smokesignal
expect: nothing
"""

import threading

import smokesignal

lock = threading.Lock()
called = []


def plugin(place):
    def handle():
        called.append(place)

    for number in range(100):
        with lock:
            smokesignal.on(f"signal {number % 10}", handle)
        with lock:
            smokesignal.emit(f"signal {number % 10}")
        with lock:
            smokesignal.disconnect(handle)


threads = [threading.Thread(target=plugin, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(called)} calls")
