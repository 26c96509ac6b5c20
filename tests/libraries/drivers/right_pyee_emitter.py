"""An emitter of events that locks its listeners; threads add, call and remove.

requires: pyee==16.0.1
include: pyee
expect: nothing
"""

import threading

from pyee import EventEmitter

emitter = EventEmitter()
lock = threading.Lock()
heard = 0


def hear(number):
    global heard
    with lock:
        heard += 1


def use(place):
    for number in range(400):
        emitter.on(f"event{place}", hear)
        emitter.once("any", lambda value: None)
        emitter.emit(f"event{place}", number)
        emitter.emit("any", number)
        emitter.remove_listener(f"event{place}", hear)


threads = [threading.Thread(target=use, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {heard} calls were heard")
