"""Threads ask for the same task: there are two of it.

requires: luigi==3.8.1
include: luigi
expect: stale check, unguarded check
at: luigi/task_register.py
"""

import threading

import luigi


class Report(luigi.Task):
    number = luigi.IntParameter()


REPORTS = 500
asked = [{} for _ in range(4)]
ready = threading.Barrier(4)
failures = []


def work(place):
    for number in range(REPORTS):
        if number % 50 == 0:
            ready.wait()
        try:
            asked[place][number] = Report(number=number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len({id(tasks.get(number)) for tasks in asked}) > 1 for number in range(REPORTS))
print(f"RESULT {twice} of {REPORTS} tasks are there twice, {len(failures)} failed")
