"""A callback is added to a promise while the others are called: it is called at once, and once more from the queue.

requires: vine==5.1.0
include: vine
expect: stale check
at: vine/promises.py:promise.then, vine/promises.py:promise.__call__
"""

import threading
import time

from vine import promise

ROUNDS = 60
called = []


def store(value):
    time.sleep(0.002)  # writes to the database


def follow(answer, number):
    answer.then(lambda value: called.append(number))


for number in range(ROUNDS):
    answer = promise()
    answer.then(store)
    answer.then(store)
    threads = [
        threading.Thread(target=answer, args=("done",)),
        threading.Thread(target=follow, args=(answer, number)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(f"RESULT {len(called)} calls of {ROUNDS} callbacks")
