"""Two threads dispatch the same event to a state machine: both find the old state, and its action is done twice.

requires: pysm==0.4.1
include: pysm
expect: stale check, unrepeatable read, lost update
at: pysm/pysm.py:StateMachine.dispatch, pysm/pysm.py:StateMachine._require_initialized
"""

import threading
import time

from pysm import Event, State, StateMachine

ROUNDS = 100
paid = []


def pay(state, event):
    time.sleep(0.001)  # asks the bank
    paid.append(event.cargo["order"])


def order():
    machine = StateMachine("order")
    new = State("new")
    done = State("paid")
    machine.add_state(new, initial=True)
    machine.add_state(done)
    machine.add_transition(new, done, events=["pay"], action=pay)
    machine.initialize()
    return machine


orders = [order() for _ in range(ROUNDS)]


def work():
    for number, machine in enumerate(orders):
        machine.dispatch(Event("pay", order=number))


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(paid) - len(set(paid))} payments too many for {ROUNDS} orders")
