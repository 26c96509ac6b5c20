"""Threads tell a machine the same event: each finds the state that it starts from, and all go over.

requires: automaton==3.5.0
include: automaton
expect: stale check, lost update
at: automaton/machines.py:FiniteMachine.process_event, automaton/machines.py:FiniteMachine._pre_process_event
"""

import threading
import time

from automaton import exceptions, machines

started = []


def leave(state, event):
    time.sleep(0.001)


def enter(state, event):
    started.append(state)


def order():
    machine = machines.FiniteMachine()
    machine.add_state("new", on_exit=leave)
    machine.add_state("paid", on_enter=enter)
    machine.add_transition("new", "paid", "pay")
    machine.default_start_state = "new"
    machine.initialize()
    return machine


ORDERS = 50
orders = [order() for _ in range(ORDERS)]
refused = []
ready = threading.Barrier(3)


def pay():
    for machine in orders:
        ready.wait()
        try:
            machine.process_event("pay")
        except (exceptions.NotFound, exceptions.InvalidState) as error:
            refused.append(error)


threads = [threading.Thread(target=pay) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(started)} payments for {ORDERS} orders, {len(refused)} were refused")
