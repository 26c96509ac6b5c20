"""A timer is taken off while it is called: the thread of timers fails to take it off, and dies with all.

requires: can-j1939==2.0.12, python-can==4.6.1, numpy==2.5.5
include: j1939
expect: failed access, stale check, changed while iterated
at: j1939/electronic_control_unit.py:ElectronicControlUnit._async_job_thread
"""

import time

import j1939

REQUESTS = 20
ecu = j1939.ElectronicControlUnit()
late, beats = [], []


def beat(cookie):
    beats.append(time.monotonic())
    return True


def timed_out(cookie):
    time.sleep(0.001)  # tells the other side that it is too late
    late.append(cookie)
    return False


ecu.add_timer(0.02, beat)
for number in range(REQUESTS):
    ecu.add_timer(0.005, timed_out)
    time.sleep(0.0055)  # the answer comes
    ecu.remove_timer(timed_out)
before = len(beats)
time.sleep(0.2)
print(
    f"RESULT {len(beats) - before} heartbeats of 10 afterwards, {len(late)} requests of {REQUESTS} were given up before"
)
