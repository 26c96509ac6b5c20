"""Workers take jobs by priority. A job's record is changed by its worker alone, and read after the join."""

import itertools
import queue
import threading

order = itertools.count()
jobs = queue.PriorityQueue()


class Job:
    def __init__(self, name):
        self.name = name
        self.state = "queued"
        self.attempts = 0

    def run(self):
        self.state = "running"
        self.attempts += 1
        self.state = "done" if self.attempts >= 2 else "retry"


records = [Job(f"job{number}") for number in range(40)]
for number, record in enumerate(records):
    jobs.put((number % 3, next(order), record))


def work():
    while True:
        _, _, job = jobs.get()
        if job is None:
            return
        job.run()
        if job.state == "retry":
            jobs.put((0, next(order), job))


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in threads:
    jobs.put((9, next(order), None))
for thread in threads:
    thread.join()
while not jobs.empty():
    jobs.get()[2].run()
assert all(job.state == "done" and job.attempts == 2 for job in records)
