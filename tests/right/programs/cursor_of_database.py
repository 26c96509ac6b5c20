"""Each thread has a connection of its own to a database in memory; results are sent to the main thread."""

import queue
import sqlite3
import threading


class Store:
    def __init__(self, name):
        self.name = name
        self.connection = sqlite3.connect(":memory:")
        self.cursor = self.connection.cursor()
        self.cursor.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT)")
        self.last_id = None

    def add(self, text):
        self.cursor.execute("INSERT INTO items (text) VALUES (?)", (text,))
        self.last_id = self.cursor.lastrowid
        return self.last_id

    def count(self):
        return self.cursor.execute("SELECT count(*) FROM items").fetchone()[0]


results = queue.Queue()


def work(name):
    store = Store(name)
    for number in range(25):
        assert store.add(f"{name} {number}") == number + 1
    results.put((store.name, store.count(), store.last_id))
    store.connection.close()


threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(results.get() for _ in threads) == [(f"s{number}", 25, 25) for number in range(4)]
