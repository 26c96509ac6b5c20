"""To disconnect goes over the senders while another thread connects to a new one: RuntimeError.

requires: blinker==1.9.0
include: blinker
expect: changed while iterated, unguarded iteration
at: blinker/base.py
"""

import threading

from blinker import Signal

signal = Signal()
failures = []


class Sender:
    pass


def connect():
    senders = []
    for number in range(1500):
        sender = Sender()
        senders.append(sender)

        def receiver(sender, number=number):
            return number

        try:
            signal.connect(receiver, sender=sender, weak=False)
            signal.disconnect(receiver)
        except RuntimeError as error:
            failures.append(error)


threads = [threading.Thread(target=connect) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} calls failed")
