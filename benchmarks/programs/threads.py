"""Many threads, two at a time, that increment a counter under a lock."""

import sys
from threading import Lock, Thread

count = [0]
lock = Lock()


def work():
    with lock:
        count[0] += 1


for _ in range(int(sys.argv[1])):
    pair = [Thread(target=work) for _ in range(2)]
    for thread in pair:
        thread.start()
    for thread in pair:
        thread.join()
