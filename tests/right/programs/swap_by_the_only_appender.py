"""One thread alone appends to its buffer, and replaces it by a new one as it hands the full one over on a queue."""

import queue
import threading


class Producer(threading.Thread):
    def __init__(self, batches, amount):
        super().__init__()
        self.batches = batches
        self.amount = amount
        self.buffer = []

    def run(self):
        for number in range(self.amount):
            self.buffer.append(number)
            if len(self.buffer) == 10:
                self.flush()
        self.flush()
        self.batches.put(None)

    def flush(self):
        if self.buffer:
            self.batches.put(self.buffer)
            self.buffer = []


batches = queue.Queue()
producers = [Producer(batches, 95) for _ in range(3)]
for producer in producers:
    producer.start()
open_ends, total = len(producers), 0
while open_ends:
    batch = batches.get()
    if batch is None:
        open_ends -= 1
        continue
    batch.reverse()
    total += sum(batch)
    batch.clear()
for producer in producers:
    producer.join()
assert total == 3 * sum(range(95))
