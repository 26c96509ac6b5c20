"""Loading an author loads a book, and the other way round: each holds its class's cache locked.

requires: SQLObject==3.14.0
include: sqlobject
expect: deadlock
at: sqlobject/cache.py:CacheFactory.get, sqlobject/main.py:SQLObject.get
"""

import tempfile
import threading
import time

import sqlobject

folder = tempfile.TemporaryDirectory()
sqlobject.sqlhub.processConnection = sqlobject.connectionForURI(f"sqlite:{folder.name}/library.db")


class Author(sqlobject.SQLObject):
    name = sqlobject.StringCol()
    best = sqlobject.IntCol(default=None)

    def _init(self, *args, **options):
        super()._init(*args, **options)
        time.sleep(0.0005)
        self.best_title = Book.get(self.best).title if self.best else None


class Book(sqlobject.SQLObject):
    title = sqlobject.StringCol()
    writer = sqlobject.IntCol(default=None)

    def _init(self, *args, **options):
        super()._init(*args, **options)
        time.sleep(0.0005)
        self.writer_name = Author.get(self.writer).name if self.writer else None


Author.createTable()
Book.createTable()
PAIRS = 15
for number in range(PAIRS):
    Author(name=f"author {number}", best=Book(title=f"book {number}").id)
    Book(title=f"another {number}", writer=Author(name=f"unread {number}").id)
sqlobject.sqlhub.processConnection.cache.clear()


def load(kind, offset):
    for number in range(PAIRS):
        kind.get(2 * number + offset)


threads = [
    threading.Thread(target=load, args=(Author, 1), daemon=True),
    threading.Thread(target=load, args=(Book, 2), daemon=True),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(0.5)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still")
