"""Threads send over the same link: two messages carry the same sequence number.

requires: pymavlink==2.4.50
include: pymavlink
expect: lost update, unguarded update, stale check, unguarded check, unrepeatable read, unguarded read
at: pymavlink/dialects/v20/common.py
"""

# send() packs the message with the sequence number, writes it out, and only then increases the number.
# Whoever sends in between packs the same number, and the receiver takes the second for a repeated packet
# (and a later gap for a lost one).

import threading

from pymavlink.dialects.v20 import common

MESSAGES = 700


class Wire:
    def __init__(self):
        self.packets = []

    def write(self, packet):
        self.packets.append(bytes(packet))


wire = Wire()
link = common.MAVLink(wire, srcSystem=1, srcComponent=1)
start = threading.Barrier(3)
failures = []


def heartbeat():
    start.wait()
    for _ in range(MESSAGES):
        try:
            link.heartbeat_send(common.MAV_TYPE_GCS, common.MAV_AUTOPILOT_INVALID, 0, 0, 0)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=heartbeat) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
numbers = [packet[4] for packet in wire.packets]
skipped = sum((after - before) % 256 != 1 for before, after in zip(numbers, numbers[1:], strict=False))
print(f"RESULT {skipped} of {len(numbers)} packets do not follow the one before, {len(failures)} failed")
