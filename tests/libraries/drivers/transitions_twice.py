"""Two threads trigger the same event: both find the machine in its source state, and both make the transition.

requires: transitions==0.9.3
include: transitions
expect: stale check, unguarded check
at: transitions/core.py
"""

import threading

from transitions import Machine, MachineError

sent = []


class Order:
    def send(self):
        sent.append(self)


ROUNDS = 250
orders = []
for _ in range(ROUNDS):
    order = Order()
    Machine(order, states=["new", "sent"], initial="new", auto_transitions=False).add_transition(
        "ship", "new", "sent", before="send"
    )
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
print(f"RESULT {ROUNDS} orders were sent {len(sent)} times")
