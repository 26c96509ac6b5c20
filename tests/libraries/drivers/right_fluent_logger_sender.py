"""Threads log by one sender, which connects and sends under its lock.

requires: fluent-logger==0.11.1
include: fluent
expect: nothing
"""

import socket
import threading

import msgpack
from fluent.sender import FluentSender

EVENTS = 700
server = socket.create_server(("127.0.0.1", 0))
server.settimeout(10)
received = []


def receive():
    connection, _ = server.accept()
    connection.settimeout(10)
    unpacker = msgpack.Unpacker(strict_map_key=False)
    while chunk := connection.recv(65536):
        unpacker.feed(chunk)
        received.extend(event[2]["number"] for event in unpacker)


receiver = threading.Thread(target=receive)
receiver.start()
sender = FluentSender("driver", port=server.getsockname()[1])
start = threading.Barrier(4)


def log(mine):
    start.wait()
    for number in range(EVENTS):
        sender.emit(f"worker.{mine}", {"number": number})


threads = [threading.Thread(target=log, args=(mine,)) for mine in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sender.close()
receiver.join()
server.close()
print(f"RESULT {len(received)} of {4 * EVENTS} events were received")
