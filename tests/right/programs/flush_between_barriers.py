"""Threads append in one phase. Between two phases, the barrier's action, which one of them runs, swaps the list."""

import threading

ROUNDS, WORKERS = 8, 4


class Phases:
    def __init__(self):
        self.current = []
        self.finished = []

    def turn(self):
        self.finished.append(self.current)
        self.current = []


phases = Phases()
barrier = threading.Barrier(WORKERS, action=phases.turn)


def work(number):
    for step in range(ROUNDS):
        for each in range(10):
            phases.current.append((step, number, each))
        barrier.wait()


threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(phases.finished) == ROUNDS and phases.current == []
for step, entries in enumerate(phases.finished):
    assert len(entries) == WORKERS * 10 and {entry[0] for entry in entries} == {step}
