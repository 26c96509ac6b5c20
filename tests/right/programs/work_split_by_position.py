"""Each thread runs the jobs of its own part alone, though all look at the states of all jobs in between."""

import threading
import time

OPEN = {"new": True, "done": False}


class Job:
    def __init__(self):
        self.state = "new"

    def is_open(self):
        return OPEN[self.state]


jobs = [Job() for _ in range(200)]
ran = []


def work(me):
    left = []
    for number, job in enumerate(jobs):
        is_open = job.is_open()
        if number % 4 == me and is_open:
            ran.append(number)
            time.sleep(0)
            job.state = "done"
        left.append(is_open)
    assert len(left) == len(jobs)


threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(ran) == list(range(len(jobs)))
