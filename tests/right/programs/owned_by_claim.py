"""A job is claimed and given back under a lock. In between only its owner changes it, without the lock."""

import threading


class Job:
    def __init__(self):
        self.owner = None
        self.step = 0
        self.notes = []

    def advance(self, who):
        self.step += 1
        self.notes.append(who)
        if len(self.notes) != self.step:
            raise RuntimeError(self.step)


class Board:
    def __init__(self, jobs):
        self.lock = threading.Lock()
        self.jobs = jobs

    def claim(self, who):
        with self.lock:
            for job in self.jobs:
                if job.owner is None and job.step < 10:
                    job.owner = who
                    return job
        return None

    def give_back(self, job):
        with self.lock:
            job.owner = None


board = Board([Job() for _ in range(12)])


def work(who):
    while (job := board.claim(who)) is not None:
        job.advance(who)
        board.give_back(job)


threads = [threading.Thread(target=work, args=(who,)) for who in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(len(job.notes) == 10 and job.owner is None for job in board.jobs)
