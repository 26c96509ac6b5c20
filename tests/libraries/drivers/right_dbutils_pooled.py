"""More threads than connections: each waits until one is given back.

requires: DBUtils==3.2.0
include: dbutils
expect: nothing
"""

import sqlite3
import threading

from dbutils.pooled_db import PooledDB

pool = PooledDB(sqlite3, maxconnections=2, blocking=True, database=":memory:", check_same_thread=False)
answers = []


def work():
    for number in range(150):
        connection = pool.connection(shareable=False)
        try:
            cursor = connection.cursor()
            cursor.execute("select ?", (number,))
            answers.append(cursor.fetchone()[0])
            cursor.close()
        finally:
            connection.close()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pool.close()
print(f"RESULT {len(answers)} answers")
