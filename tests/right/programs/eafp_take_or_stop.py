"""Workers pop jobs from a shared list until it is empty. IndexError says so; there is no check before the pop."""

import threading

jobs = list(range(200))
done = []


def work():
    while True:
        try:
            job = jobs.pop()
        except IndexError:
            break
        done.append(job * job)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(done) == [number * number for number in range(200)]
