"""Threads store under keys that share a file of the database: what one has stored is lost.

requires: pickleshare==0.7.5
include: pickleshare
expect: lost update, unguarded update, stale container, unguarded change, stale check, unguarded check
at: pickleshare.py
"""

# hset() gets the dictionary of the file, adds its own key, and stores the whole. Two threads that both find no file yet
# each start with a dictionary of their own, and the one that stores last replaces what the other has stored.

import tempfile
import threading

from pickleshare import PickleShareDB

ROUNDS = 150
lost = []
failures = []
start = threading.Barrier(3, timeout=20)

with tempfile.TemporaryDirectory() as folder:
    db = PickleShareDB(folder)
    for number in range(ROUNDS):
        (db.root / f"round{number}").mkdir()

    def work(place):
        for number in range(ROUNDS):
            start.wait()
            try:
                db.hset(f"round{number}", 256 * place, number)
            except Exception as error:
                failures.append(error)

    # gethashfile() spreads keys over files: these three are in one
    keys = (0, 256, 512)
    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lost = [(number, key) for number in range(ROUNDS) for key in keys if db.hget(f"round{number}", key, None) is None]
print(f"RESULT {len(lost)} of {3 * ROUNDS} entries were lost, {len(failures)} calls failed")
