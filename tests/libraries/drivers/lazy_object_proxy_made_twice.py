"""A proxy makes its object on first use: each of the threads that come first makes one, and all but one are lost.

requires: lazy-object-proxy==1.13.0
include: lazy_object_proxy.slots
expect: stale check, unguarded check, failed access
at: lazy_object_proxy/slots.py
"""

# __wrapped__ looks for the target, calls the factory if there is none, and stores what it made: what a thread has put
# into an object that is then replaced is lost.

import threading
from pathlib import Path

from lazy_object_proxy.slots import Proxy

ROUNDS = 1000


class Inbox:
    def __init__(self):
        saved = Path(__file__).with_suffix(".saved")
        self.messages = saved.read_text(encoding="utf-8").splitlines() if saved.exists() else []

    def put(self, message):
        self.messages.append(message)


inboxes = [Proxy(Inbox) for _ in range(ROUNDS)]
start = threading.Barrier(3, timeout=20)


def work(place):
    for inbox in inboxes:
        start.wait()
        inbox.put(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {3 * ROUNDS - sum(len(inbox.messages) for inbox in inboxes)} of {3 * ROUNDS} messages were lost")
