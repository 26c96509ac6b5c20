"""Threads take connections from the same pool, and give them back.

requires: SQLAlchemy==2.1.9
include: sqlalchemy
expect: nothing
"""

import sqlite3
import threading

from sqlalchemy.pool import QueuePool

pool = QueuePool(lambda: sqlite3.connect(":memory:", check_same_thread=False), pool_size=2, max_overflow=1)
answers = []
failures = []


def work():
    for number in range(60):
        try:
            connection = pool.connect()
            answers.extend(connection.cursor().execute("select ?", (number,)).fetchone())
            connection.close()
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(answers)} answers, {pool.checkedout()} connections are out, {len(failures)} failed")
