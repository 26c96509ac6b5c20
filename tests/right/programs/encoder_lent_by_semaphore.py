"""Encoders with state are lent from a list: a semaphore counts them, and a lock guards the list."""

import threading


class Encoder:
    def __init__(self):
        self.previous = 0
        self.output = []

    def encode(self, numbers):
        self.previous = 0
        self.output = []
        for number in numbers:
            self.output.append(number - self.previous)
            self.previous = number
        return tuple(self.output)


class Encoders:
    def __init__(self, count):
        self.free = [Encoder() for _ in range(count)]
        self.lock = threading.Lock()
        self.available = threading.BoundedSemaphore(count)

    def encode(self, numbers):
        with self.available:
            with self.lock:
                encoder = self.free.pop()
            try:
                return encoder.encode(numbers)
            finally:
                with self.lock:
                    self.free.append(encoder)


encoders = Encoders(2)
results = {}


def work(step):
    numbers = list(range(0, step * 6, step))
    results[step] = {encoders.encode(numbers) for _ in range(40)}


threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 3, 4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == {step: {(0, step, step, step, step, step)} for step in (1, 2, 3, 4)}
assert len(encoders.free) == 2
