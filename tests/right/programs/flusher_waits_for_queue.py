"""Writers put lines on a queue.

One thread takes them off and keeps them in a list of its own, which it alone replaces.
"""

import queue
import threading

pages = []


class Writer(threading.Thread):
    def __init__(self):
        super().__init__()
        self.lines = queue.Queue()
        self.page = []

    def run(self):
        while True:
            line = self.lines.get()
            if line is None:
                self.turn_page()
                return
            self.page.append(line)
            if len(self.page) >= 20:
                self.turn_page()

    def turn_page(self):
        pages.append(self.page)
        self.page = []


writer = Writer()
writer.start()


def work(number):
    for each in range(50):
        writer.lines.put((number, each))


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
writer.lines.put(None)
writer.join()
assert sum(map(len, pages)) == 150 and len(pages) == 8
