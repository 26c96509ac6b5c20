"""Each connection is a state machine, driven by the one thread that serves it."""

import threading


class Connection:
    def __init__(self, name):
        self.name = name
        self.state = "closed"
        self.sent = 0
        self.pending = []

    def open(self):
        if self.state != "closed":
            raise RuntimeError(self.state)
        self.state = "open"
        self.pending = []

    def send(self, data):
        if self.state != "open":
            raise RuntimeError(self.state)
        self.pending.append(data)
        if len(self.pending) >= 4:
            self.flush()

    def flush(self):
        self.state = "flushing"
        while self.pending:
            self.pending.pop()
            self.sent += 1
        self.state = "open"

    def close(self):
        if self.pending:
            self.flush()
        self.state = "closed"


connections = [Connection(f"c{number}") for number in range(4)]


def serve(connection):
    for size in range(12):
        connection.open()
        for each in range(size):
            connection.send(each)
        connection.close()


threads = [threading.Thread(target=serve, args=(each,)) for each in connections]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert [(each.state, each.sent) for each in connections] == [("closed", 66)] * 4
