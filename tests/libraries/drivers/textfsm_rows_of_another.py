"""Threads parse with the same state machine: their rows are mixed.

requires: textfsm==2.1.0
include: textfsm
expect: overwritten before read, unguarded own write, lost update
at: textfsm/parser.py
"""

import io
import threading
import time

import textfsm

TEMPLATE = r"""Value Required INTERFACE (\S+)
Value STATUS (up|down)

Start
  ^interface ${INTERFACE}
  ^ +status is ${STATUS} -> Record
"""
parser = textfsm.TextFSM(io.StringIO(TEMPLATE))
wrong = []
failures = []


def read(place):
    right = [[f"eth{place}/{number}", "up"] for number in range(10)]
    for _ in range(2):
        try:
            parser.Reset()
            for name, status in right:
                time.sleep(0.0003)
                rows = parser.ParseText(f"interface {name}\n  status is {status}\n", eof=False)
            if rows != right:
                wrong.append(place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=read, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 6 tables are wrong, {len(failures)} failed")
