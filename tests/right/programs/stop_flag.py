"""A flag that goes one way: workers poll it and stop. The count of rounds is each worker's own."""

import threading


class Worker:
    def __init__(self):
        self.running = True
        self.rounds = 0

    def run(self):
        while self.running:
            self.rounds += 1
            if self.rounds >= 300:
                self.running = False

    def stop(self):
        self.running = False


workers = [Worker() for _ in range(3)]
threads = [threading.Thread(target=worker.run) for worker in workers]
for thread in threads:
    thread.start()
for worker in workers:
    worker.stop()
for thread in threads:
    thread.join()
assert not any(worker.running for worker in workers)
assert all(worker.rounds <= 300 for worker in workers)
