"""Threads drive the same controller: the same stretch of time is added to its integral by each.

requires: simple-pid==2.0.1
include: simple_pid
expect: stale check, lost update
at: simple_pid/pid.py:PID.__call__
"""

import threading
import time

from simple_pid import PID


def deadband(error):
    time.sleep(0.001)
    return error


heater = PID(Kp=0, Ki=1, Kd=0, setpoint=1, sample_time=0.002, error_map=deadband)
begin = time.monotonic()


def control():
    for _ in range(40):
        heater(0)
        time.sleep(0.001)


threads = [threading.Thread(target=control) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
elapsed = time.monotonic() - begin
print(f"RESULT {heater.components[1] / elapsed:.2f} times the elapsed time is in the integral")
