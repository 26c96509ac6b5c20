"""What threads note about objects of their own, by weak keys."""

import threading
import weakref

notes = weakref.WeakKeyDictionary()


class Job:
    pass


def work():
    jobs = [Job() for _ in range(40)]
    for number, job in enumerate(jobs):
        notes[job] = number
    for number, job in enumerate(jobs):
        if job in notes:
            notes[job] = notes[job] + 1
        assert notes[job] == number + 1


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("done")
