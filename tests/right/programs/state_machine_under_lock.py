"""A shared job has states.

Each transition checks and sets the state under the job's lock, so each job is run once.
"""

import threading


class Job:
    def __init__(self, number):
        self._lock = threading.Lock()
        self.number = number
        self.state = "new"
        self.runs = 0

    def claim(self):
        with self._lock:
            if self.state != "new":
                return False
            self.state = "running"
            return True

    def finish(self):
        with self._lock:
            if self.state == "running":
                self.state = "done"
                self.runs += 1


jobs = [Job(number) for number in range(80)]
ready = threading.Barrier(4)


def work():
    ready.wait()
    for job in jobs:
        if job.claim():
            sum(range(job.number))
            job.finish()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(job.state == "done" and job.runs == 1 for job in jobs)
