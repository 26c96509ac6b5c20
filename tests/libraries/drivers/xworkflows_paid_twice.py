"""Threads pay the same order: all find the transition available, and all make it.

requires: xworkflows==1.1.0
include: xworkflows
expect: stale check
at: xworkflows/base.py:ImplementationWrapper.__call__, xworkflows/base.py:ImplementationWrapper._pre_transition_checks
"""

import threading
import time

import xworkflows

paid = []


class Sale(xworkflows.Workflow):
    states = (("open", "Open"), ("paid", "Paid"))
    transitions = (("pay", "open", "paid"),)
    initial_state = "open"


class Order(xworkflows.WorkflowEnabled):
    state = Sale()

    @xworkflows.transition()
    def pay(self):
        time.sleep(0.001)
        paid.append(self)


orders = [Order() for _ in range(20)]
refused = []


def work():
    for order in orders:
        try:
            order.pay()
        except xworkflows.InvalidTransitionError as error:
            refused.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(paid) - len(orders)} payments too many were made for {len(orders)} orders, "
    f"{len(refused)} payments were refused"
)
