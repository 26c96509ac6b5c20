"""One dispatcher hands parts out to queues of the workers; the results come back on one queue with their numbers."""

import queue
import threading


class Worker(threading.Thread):
    def __init__(self, results):
        super().__init__()
        self.inbox = queue.Queue()
        self.results = results
        self.last = None

    def run(self):
        while True:
            message = self.inbox.get()
            if message is None:
                return
            number, values = message
            self.last = number
            self.results.put((number, max(values) - min(values)))


results = queue.Queue()
workers = [Worker(results) for _ in range(3)]
for worker in workers:
    worker.start()
for number in range(60):
    workers[number % 3].inbox.put((number, range(number, 2 * number + 1)))
answers = dict(results.get() for _ in range(60))
for worker in workers:
    worker.inbox.put(None)
    worker.join()
assert answers == {number: number for number in range(60)}
assert [worker.last for worker in workers] == [57, 58, 59]
