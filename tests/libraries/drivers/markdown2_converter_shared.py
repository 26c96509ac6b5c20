"""Threads convert texts with the same converter: a link goes where another text says.

requires: markdown2==2.5.5
include: markdown2
expect: overwritten before read, unguarded own write
at: markdown2.py
"""

import threading

from markdown2 import Markdown

converter = Markdown()
wrong = []
failures = []


def work(place):
    for number in range(60):
        text = f"# Page {number}\n\nSee [the page][page] and *more* of it.\n\n[page]: http://example.com/{place}/{number}\n"
        try:
            if f"http://example.com/{place}/{number}" not in converter.convert(text):
                wrong.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 240 pages have a wrong link, {len(failures)} failed")
