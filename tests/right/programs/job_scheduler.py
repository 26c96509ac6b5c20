"""A scheduler's heap and its next number are changed under its condition; due jobs are run without it."""

import heapq
import threading


class Scheduler:
    def __init__(self):
        self.condition = threading.Condition()
        self.heap = []
        self.number = 0
        self.closed = False

    def schedule(self, due, job):
        with self.condition:
            heapq.heappush(self.heap, (due, self.number, job))
            self.number += 1
            self.condition.notify()

    def close(self):
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def run(self):
        while True:
            with self.condition:
                while not self.heap and not self.closed:
                    self.condition.wait()
                if not self.heap:
                    return
                _, _, job = heapq.heappop(self.heap)
            job()


scheduler = Scheduler()
fired = []


def client(name):
    for number in range(40):
        scheduler.schedule(number % 5, lambda number=number: fired.append((name, number)))


runner = threading.Thread(target=scheduler.run)
runner.start()
clients = [threading.Thread(target=client, args=(name,)) for name in "abc"]
for thread in clients:
    thread.start()
for thread in clients:
    thread.join()
scheduler.close()
runner.join()
assert sorted(fired) == [(name, number) for name in "abc" for number in range(40)]
