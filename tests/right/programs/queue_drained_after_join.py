"""Workers take jobs until they are told to stop. What is left, the main thread takes once they have all ended."""

import queue
import threading

jobs = queue.Queue()
done, left = [], []
for number in range(60):
    jobs.put(number)


def work():
    for _ in range(12):
        try:
            job = jobs.get_nowait()
        except queue.Empty:
            return
        done.append(job)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
while not jobs.empty():
    left.append(jobs.get_nowait())
assert sorted(done + left) == list(range(60)) and len(left) == 24
