"""A signal that is asked to be safe for threads: slots come, go and are called.

requires: signalslot==0.2.0
include: signalslot
expect: nothing
"""

import threading

from signalslot import Signal

signal = Signal(threadsafe=True)
called = []


def count(**kwargs):
    called.append(1)


signal.connect(count)


def plugin():
    for _ in range(150):

        def handle(**kwargs):
            pass

        signal.connect(handle)
        signal.emit()
        signal.disconnect(handle)


threads = [threading.Thread(target=plugin) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(signal.slots)} slot, {len(called)} calls")
