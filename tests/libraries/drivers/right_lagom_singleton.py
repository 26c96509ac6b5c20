"""Threads ask a container for its singletons: each is made once, under a lock.

requires: lagom==2.7.7
include: lagom
expect: nothing
"""

import threading
import time

from lagom import Container, Singleton

made = []


class Settings:
    def __init__(self):
        made.append("settings")
        time.sleep(0.001)
        self.url = "http://db/"


class Database:
    def __init__(self, settings: Settings):
        made.append("database")
        time.sleep(0.001)
        self.url = settings.url


class Service:
    def __init__(self, database: Database):
        self.database = database


container = Container()
container[Settings] = Singleton(Settings)
container[Database] = Singleton(lambda c: Database(c[Settings]))
ready = threading.Barrier(6)
seen = []


def serve():
    ready.wait()
    for _ in range(200):
        seen.append(container[Service].database)


threads = [threading.Thread(target=serve) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT nothing wrong: {sorted(made)} were made, {len(set(map(id, seen)))} database is in {len(seen)} services")
