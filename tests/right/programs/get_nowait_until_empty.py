"""Workers ask a queue whether it is empty, which is a hint; they take by get_nowait, and are ready for Empty."""

import queue
import threading

jobs = queue.Queue()
for number in range(150):
    jobs.put(number)
results = {}


def work():
    while not jobs.empty():
        try:
            number = jobs.get_nowait()
        except queue.Empty:
            break
        results[number] = number % 3


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == {number: number % 3 for number in range(150)}
