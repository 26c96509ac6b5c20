"""A thread puts its event into the queue that another one works on, and which has just seen that it is empty.

requires: python-statemachine==3.2.2
include: statemachine
expect: stale check, unguarded check, lost notification
at: statemachine/engines/sync.py
"""

import threading

from statemachine import State, StateMachine


class Light(StateMachine):
    green = State(initial=True)
    red = State()
    cycle = green.to(red) | red.to(green)

    def __init__(self):
        self.taken = 0
        super().__init__()

    def on_cycle(self):
        self.taken += 1


light = Light()
failures = []


def work():
    for _ in range(500):
        try:
            light.cycle()
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {light.taken} of 1500 events were taken, {len(failures)} failed")
