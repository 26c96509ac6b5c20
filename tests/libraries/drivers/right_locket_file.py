"""Threads write one file under a lock of it: the lock of a path is one for all threads, whoever makes it.

requires: locket==1.0.0
include: locket
expect: nothing
"""

import os
import tempfile
import threading

import locket

folder = tempfile.mkdtemp()
path = os.path.join(folder, "count")
with open(path, "w") as file:
    file.write("0")
ready = threading.Barrier(4)


def count():
    ready.wait()
    for _ in range(50):
        with locket.lock_file(path + ".lock"):
            with open(path) as file:
                value = int(file.read())
            with open(path, "w") as file:
                file.write(str(value + 1))


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
with open(path) as file:
    value = file.read()
for name in os.listdir(folder):
    os.remove(os.path.join(folder, name))
os.rmdir(folder)
print(f"RESULT nothing wrong: {value} of 200")
