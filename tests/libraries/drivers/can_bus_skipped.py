"""A message goes to each bus of a channel, without the lock under which a bus leaves it: another is skipped.

requires: python-can==4.6.1
include: can
expect: changed while iterated, unguarded iteration, inconsistent locking
at: can/interfaces/virtual.py
"""

import threading

import can

MESSAGES = 250
sender = can.Bus(interface="virtual", channel="line")
visitors = [can.Bus(interface="virtual", channel="line") for _ in range(4)]
listener = can.Bus(interface="virtual", channel="line")
sending = threading.Event()
failures = []


def send():
    for number in range(MESSAGES):
        try:
            sender.send(can.Message(arbitration_id=number, data=[1, 2, 3]))
        except Exception as error:
            failures.append(error)
        sending.set()


def visit(bus):
    sending.wait()
    for _ in range(60):
        try:
            bus.shutdown()
            bus = can.Bus(interface="virtual", channel="line")
        except Exception as error:
            failures.append(error)
    bus.shutdown()


threads = [threading.Thread(target=send), *(threading.Thread(target=visit, args=(bus,)) for bus in visitors)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
heard = 0
while listener.recv(timeout=0) is not None:
    heard += 1
print(f"RESULT {heard} of {MESSAGES} messages were heard, {len(failures)} failed")
listener.shutdown()
sender.shutdown()
