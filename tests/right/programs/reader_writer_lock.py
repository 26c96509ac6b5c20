"""A readers-writer lock of a condition and two numbers. Writers change two values that readers see together."""

import contextlib
import threading


class ReadWriteLock:
    def __init__(self):
        self.condition = threading.Condition()
        self.readers = 0
        self.writing = False

    @contextlib.contextmanager
    def read(self):
        with self.condition:
            while self.writing:
                self.condition.wait()
            self.readers += 1
        try:
            yield
        finally:
            with self.condition:
                self.readers -= 1
                if self.readers == 0:
                    self.condition.notify_all()

    @contextlib.contextmanager
    def write(self):
        with self.condition:
            while self.writing or self.readers:
                self.condition.wait()
            self.writing = True
        try:
            yield
        finally:
            with self.condition:
                self.writing = False
                self.condition.notify_all()


lock = ReadWriteLock()
account = {"credit": 0, "debit": 0}
torn = []


def writer():
    for _ in range(30):
        with lock.write():
            account["credit"] += 1
            account["debit"] -= 1


def reader():
    for _ in range(40):
        with lock.read():
            if account["credit"] + account["debit"]:
                torn.append(dict(account))


threads = [threading.Thread(target=each) for each in (writer, writer, reader, reader)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not torn and account == {"credit": 60, "debit": -60}
