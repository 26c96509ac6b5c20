"""Threads pickle objects of classes that are made at run time, whose numbers the library gives under a lock.

requires: cloudpickle==3.1.3
include: cloudpickle
expect: nothing
"""

import threading

import cloudpickle

CLASSES = 150
classes = [type(f"Made{number}", (), {"number": number, "__module__": "__main__"}) for number in range(CLASSES)]
start = threading.Barrier(3, timeout=20)
wrong = []


def work():
    start.wait()
    for made in classes:
        back = cloudpickle.loads(cloudpickle.dumps(made()))
        if type(back) is not made:
            wrong.append(made)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * CLASSES} objects are not of their class")
