"""A database writes itself to its file as another thread sets a new key: the dictionary changes its size.

requires: pickleDB==0.9.2
include: pickledb
expect: changed while iterated, unguarded iteration, failed access
at: pickledb.py
"""

import tempfile
import threading
import time
from pathlib import Path

import pickledb

ROUNDS = 150
failures = []
threading.excepthook = lambda told: failures.append(told.exc_value)  # each dump is done in a thread too

with tempfile.TemporaryDirectory() as folder:
    database = pickledb.load(str(Path(folder) / "users.db"), False)
    for number in range(200):
        database.set(f"old user {number}", {"name": "somebody", "age": number})

    def add(place):
        for number in range(ROUNDS):
            database.set(f"user {place} {number}", {"name": "somebody", "age": number})
            time.sleep(0.001)

    def save():
        for _ in range(25):
            try:
                database.dump()
            except RuntimeError as error:
                failures.append(error)

    threads = [threading.Thread(target=add, args=(place,)) for place in range(3)]
    threads.append(threading.Thread(target=save))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"RESULT {database.totalkeys()} users, {len(failures)} dumps failed: {failures[:1]}")
