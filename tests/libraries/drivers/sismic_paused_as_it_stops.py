"""A thread pauses a statechart that another one is just stopping: it stands still, and who stops it waits for ever.

requires: sismic==1.6.14
include: sismic.runner
expect: lost notification, deadlock
at: sismic/runner/runner.py
"""

# stop() sets the event on which a paused runner waits, and joins its thread. pause() clears this event before the
# thread has seen it: the thread waits for it without looking whether it is to stop.

import threading

from sismic.interpreter import Interpreter
from sismic.io import import_from_yaml
from sismic.runner import AsyncRunner

ROUNDS = 8
CHART = """
statechart:
  name: lamp
  root state:
    name: root
    initial: off
    states:
      - name: off
        transitions:
          - event: press
            target: on
      - name: on
        transitions:
          - event: press
            target: off
"""
start = threading.Barrier(2, timeout=20)
runners = [AsyncRunner(Interpreter(import_from_yaml(CHART)), interval=0.01) for _ in range(ROUNDS)]
still = []


def pause():
    for runner in runners:
        start.wait()
        runner.pause()


def stop(runner):
    start.wait()
    runner.stop()


pauser = threading.Thread(target=pause, daemon=True)
pauser.start()
for number, runner in enumerate(runners):
    runner.start()
    stopper = threading.Thread(target=stop, args=(runner,), daemon=True)
    stopper.start()
    stopper.join(0.2)
    if stopper.is_alive():
        still.append(number)
for runner in runners:
    runner.unpause()
print(f"RESULT {len(still)} of {ROUNDS} calls of stop() did not end")
