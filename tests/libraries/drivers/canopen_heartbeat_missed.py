"""Nodes answer a command at once, before the caller begins to wait for their heartbeats: it waits in vain.

requires: canopen==2.4.1
include: canopen
expect: lost notification
at: canopen/nmt.py
"""

import threading

import can
import canopen
from canopen.nmt import NmtError
from canopen.objectdictionary import ObjectDictionary

NODES = 6
ROUNDS = 5
remote = can.Bus(interface="virtual", channel="plant")
network = canopen.Network()
network.connect(interface="virtual", channel="plant")
nodes = [network.add_node(number + 1, ObjectDictionary()) for number in range(NODES)]
missed = []
heard = []
stopped = threading.Event()


def answer():
    while not stopped.is_set():
        message = remote.recv(timeout=0.05)
        if message is not None and message.arbitration_id == 0:
            state = {1: 5, 2: 4}[message.data[0]]
            remote.send(can.Message(arbitration_id=0x700 + message.data[1], data=[state], is_extended_id=False))


def command(part):
    for number in range(ROUNDS):
        for node in part:
            node.nmt.state = "OPERATIONAL" if number % 2 else "STOPPED"
        for node in part:
            try:
                node.nmt.wait_for_heartbeat(timeout=0.1)
                heard.append(number)
            except NmtError as error:
                missed.append(error)


device = threading.Thread(target=answer)
device.start()
threads = [threading.Thread(target=command, args=(part,)) for part in (nodes[:3], nodes[3:])]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stopped.set()
device.join()
network.disconnect()
remote.shutdown()
print(f"RESULT {len(missed)} of {NODES * ROUNDS} heartbeats were missed, {len(heard)} were heard")
