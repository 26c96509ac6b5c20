"""A signal cleans its list up as it is emitted: a slot that is connected meanwhile is gone.

requires: signalslot==0.2.0
include: signalslot
expect: stale container, unguarded change, lost update
at: signalslot/signal.py
"""

import threading

from signalslot import Signal

signals = [Signal(name=str(number)) for number in range(200)]
PLUGINS = 8


def connect():
    for _ in range(PLUGINS):
        for signal in signals:

            def handle(**kwargs):
                pass

            signal.connect(handle)


def emit():
    for _ in range(PLUGINS):
        for signal in signals:
            signal.emit()


threads = [threading.Thread(target=target) for target in (connect, emit, connect, emit)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
connected = sum(len(signal.slots) for signal in signals)
print(f"RESULT {connected} of {2 * PLUGINS * len(signals)} slots are connected")
