"""An object is filled, then stored, then an event is set. Readers wait for the event, and so see all of it."""

import threading


class Holder:
    def __init__(self):
        self.value = None
        self.ready = threading.Event()

    def publish(self, **values):
        self.value = {}
        for name, value in values.items():
            self.value[name] = value
        self.ready.set()

    def get(self):
        self.ready.wait()
        return self.value


holders = [Holder() for _ in range(40)]
seen = []


def publisher():
    for number, holder in enumerate(holders):
        holder.publish(number=number, square=number * number)


def reader():
    for holder in holders:
        value = holder.get()
        seen.append(value["number"] ** 2 == value["square"])


threads = [threading.Thread(target=each) for each in (reader, publisher, reader)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert seen == [True] * 80
