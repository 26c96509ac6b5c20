"""A batch is sent when it is full. Who fills it takes it away under the lock, and sends it without the lock."""

import threading

sent = []
sent_lock = threading.Lock()


class Batcher:
    def __init__(self, size):
        self.size = size
        self.items = []
        self.lock = threading.Lock()

    def add(self, item):
        full = None
        with self.lock:
            self.items.append(item)
            if len(self.items) >= self.size:
                full = self.items
                self.items = []
        if full is not None:
            self.send(full)

    def send(self, batch):
        with sent_lock:
            sent.append(tuple(batch))

    def close(self):
        with self.lock:
            rest, self.items = self.items, []
        if rest:
            self.send(rest)


batcher = Batcher(7)


def work(number):
    for each in range(60):
        batcher.add((number, each))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
batcher.close()
assert sum(map(len, sent)) == 240 and len(set(sum(sent, ()))) == 240
assert all(len(batch) == 7 for batch in sent[:-1])
