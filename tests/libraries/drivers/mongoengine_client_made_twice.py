"""The first documents of an alias are asked for by several threads: each connects.

requires: mongoengine==0.29.3
include: mongoengine
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: mongoengine/connection.py:get_connection
"""

# get_connection() looks the alias up among the connections, makes a client if there is none, and puts it in.
# Threads that ask before that make clients (with their pools) too; all but the last are never closed.

import threading

from mongoengine.connection import get_connection, register_connection
from pymongo import MongoClient

ALIASES = 40
start = threading.Barrier(3)
made = []
failures = []


class Client(MongoClient):
    def __init__(self, *args, **kwargs):
        made.append(self)
        super().__init__(*args, **kwargs)


for alias in range(ALIASES):
    register_connection(f"alias{alias}", db="shop", connect=False, mongo_client_class=Client, port=27000 + alias)


def work():
    for alias in range(ALIASES):
        start.wait()
        try:
            get_connection(f"alias{alias}")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} clients for {ALIASES} aliases, {len(failures)} failed")
