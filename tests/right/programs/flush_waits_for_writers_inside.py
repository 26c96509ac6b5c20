"""Writers enter the current page under a lock, write without it, and leave. The flusher waits until all have left."""

import threading


class Page:
    def __init__(self):
        self.items = []
        self.writers = 0


class Book:
    def __init__(self):
        self.condition = threading.Condition()
        self.page = Page()
        self.flushed = []

    def write(self, item):
        with self.condition:
            page = self.page
            page.writers += 1
        page.items.append(item)
        with self.condition:
            page.writers -= 1
            if page.writers == 0:
                self.condition.notify_all()

    def flush(self):
        with self.condition:
            old, self.page = self.page, Page()
            while old.writers:
                self.condition.wait()
        self.flushed.extend(old.items)


book = Book()
ready = threading.Barrier(4)


def writer(number):
    ready.wait()
    for each in range(60):
        book.write((number, each))


def flusher():
    ready.wait()
    for _ in range(20):
        book.flush()


threads = [threading.Thread(target=writer, args=(number,)) for number in range(3)] + [threading.Thread(target=flusher)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
book.flush()
assert sorted(book.flushed) == [(number, each) for number in range(3) for each in range(60)]
