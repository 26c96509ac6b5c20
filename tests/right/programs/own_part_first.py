"""Each thread runs the jobs of its own part, and looks at those of the others after that, by the same code."""

import threading
import time

OPEN = {"new": True, "done": False}


class Job:
    def __init__(self):
        self.state = "new"


jobs = [Job() for _ in range(160)]
ran = []


def work(me):
    seen = []
    for number in [*range(me * 40, 160), *range(me * 40)]:
        is_open = OPEN[jobs[number].state]
        if number // 40 == me and is_open:
            ran.append(number)
            time.sleep(0.0005)
            jobs[number].state = "done"
        seen.append(is_open)
    assert len(seen) == len(jobs)


threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(ran) == list(range(len(jobs)))
