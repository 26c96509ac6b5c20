"""A look at a job leaves out those that are done; who runs one has claimed it in one step, so none runs twice."""

import threading
import time

NEXT = {"new": True, "done": False}


class Job:
    def __init__(self, number):
        self.number = number
        self.state = "new"
        self.due = 0.0


jobs = [Job(number) for number in range(120)]
claimed, free, ran, due_ran = {}, list(jobs), [], []


def run(job, me):
    if not NEXT[job.state]:
        return
    if claimed.setdefault(job.number, me) is not me:
        return
    ran.append(job.number)
    time.sleep(0)
    job.state = "done"


def run_if_due(job):
    if time.monotonic() < job.due:
        return
    try:
        free.remove(job)
    except ValueError:
        return
    due_ran.append(job.number)
    time.sleep(0)
    job.due = time.monotonic() + 1000


def work(order):
    me = object()
    for number in order:
        run(jobs[number], me)
    for number in order:
        run_if_due(jobs[number])


orders = [range(120), range(119, -1, -1), [*range(60, 120), *range(60)]]
threads = [threading.Thread(target=work, args=(order,)) for order in orders]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(ran) == sorted(due_ran) == list(range(120))
