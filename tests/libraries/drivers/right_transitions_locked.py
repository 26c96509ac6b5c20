"""The locked machine of the library makes one transition at a time.

requires: transitions==0.9.3
include: transitions
expect: nothing
"""

import threading

from transitions import MachineError
from transitions.extensions import LockedMachine

sent = []


class Order:
    def send(self):
        sent.append(self)


orders = []
for _ in range(60):
    order = Order()
    machine = LockedMachine(order, states=["new", "sent"], initial="new", auto_transitions=False)
    machine.add_transition("ship", "new", "sent", before="send")
    orders.append(order)


def ship():
    for order in orders:
        try:
            order.ship()
        except MachineError:
            pass


threads = [threading.Thread(target=ship) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT 60 orders were sent {len(sent)} times")
