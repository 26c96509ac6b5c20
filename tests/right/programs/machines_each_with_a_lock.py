"""Each machine has a lock of its own, held from the look at its state until it is in the next one."""

import threading
import time

TRANSITIONS = {"new": "sent", "sent": None}


class Machine:
    def __init__(self):
        self.lock = threading.RLock()
        self.state = "new"
        self.listeners = []

    def may(self):
        return TRANSITIONS[self.state]

    def change(self, state):
        time.sleep(0)
        self.state = state

    def trigger(self, sent):
        with self.lock:
            following = self.may()
            if following is None:
                return False
            sent.append(self)
            self.change(following)
            return True

    def listen_once(self, listener):
        with self.lock:
            known = [each for each in self.listeners if each is not None]
            if not known:
                self.listeners.append(listener)


machines = [Machine() for _ in range(150)]
sent = []
triggered = [0, 0, 0, 0]


def work(place):
    for machine in machines[place * 30 :] + machines[: place * 30]:
        triggered[place] += machine.trigger(sent)
        machine.listen_once(place)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(sent) == sum(triggered) == len(machines) == len(set(map(id, sent)))
assert all(len(machine.listeners) == 1 for machine in machines)
