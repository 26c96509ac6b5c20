"""Clients enter and leave the same room: one enters it as another, the last there, removes it.

requires: python-socketio==5.18.1
include: socketio
expect: failed access, stale check
at: socketio/base_manager.py
"""

import threading

import socketio

server = socketio.Server(async_mode="threading")
clients = [server.manager.connect(f"transport{number}", "/") for number in range(4)]
failures = []


def work(client):
    for _ in range(500):
        try:
            server.enter_room(client, "lobby")
            server.leave_room(client, "lobby")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(client,)) for client in clients]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 2000 visits failed: {failures[:1]}")
