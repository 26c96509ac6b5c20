"""A thread makes the things of a game while another lists them: the list is not whole, or fails.

requires: esper==3.9
include: esper
expect: changed while iterated, failed access, stale check
at: esper/__init__.py:_get_components, esper/__init__.py:_get_component, esper/__init__.py:get_components
"""

import threading
import time

import esper


class Position:
    def __init__(self, x):
        self.x = x


class Velocity:
    def __init__(self, dx):
        self.dx = dx


for number in range(4000):
    esper.create_entity(Position(number), Velocity(1))
failed = []
over = threading.Event()


def load():
    for number in range(250):
        time.sleep(0.0005)
        esper.create_entity(Position(number), Velocity(1))
    over.set()


def play():
    frames = 0
    while not over.is_set() and frames < 2000:
        frames += 1
        try:
            for entity, (position, velocity) in esper.get_components(Position, Velocity):
                position.x += velocity.dx
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=target) for target in (load, play)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
listed = len(esper.get_components(Position, Velocity))
print(f"RESULT {len(failed)} frames failed, {listed} things of 4250 are listed")
