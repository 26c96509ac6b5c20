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
        self.taken = []
        super().__init__()

    def on_cycle(self):
        self.taken.append(None)


ROUNDS = 200
lights = [Light() for _ in range(ROUNDS)]
failures = []


def work():
    for light in lights:
        try:
            light.cycle()
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
left = sum(len(light.taken) != 4 for light in lights)
print(f"RESULT {left} of {ROUNDS} machines left an event, {len(failures)} failed")
