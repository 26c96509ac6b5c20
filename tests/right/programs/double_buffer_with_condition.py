"""A producer fills one list while a consumer works on the other. They are swapped under a condition."""

import threading


class Exchange:
    def __init__(self):
        self.condition = threading.Condition()
        self.filling = []
        self.closed = False

    def put(self, item):
        with self.condition:
            self.filling.append(item)
            self.condition.notify()

    def close(self):
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def take_all(self):
        with self.condition:
            while not self.filling and not self.closed:
                self.condition.wait()
            taken, self.filling = self.filling, []
            return taken


exchange = Exchange()
received = []


def consume():
    while items := exchange.take_all():
        for item in items:
            received.append(item)


def produce(number):
    for each in range(60):
        exchange.put((number, each))


consumer = threading.Thread(target=consume)
consumer.start()
producers = [threading.Thread(target=produce, args=(number,)) for number in range(3)]
for thread in producers:
    thread.start()
for thread in producers:
    thread.join()
exchange.close()
consumer.join()
assert len(received) == 180 == len(set(received))
