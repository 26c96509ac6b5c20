"""Two threads that ask for the same lazy attribute both make it, and one list is let go with what was added to it.

requires: lazy==2.0
include: lazy
expect: stale check, unguarded check
at: lazy.py
"""

import threading

from lazy import lazy

ROUNDS = 3000


class Page:
    def __init__(self, number):
        self.number = number

    @lazy
    def links(self):
        text = "".join(f"<a href={n}>" for n in range(self.number % 7 + 40))
        return [part for part in text.split("<a href=") if part]


pages = [Page(number) for number in range(ROUNDS)]
seen = [[None] * ROUNDS for _ in range(4)]


def read(mine):
    for number, page in enumerate(pages):
        mine[number] = page.links
        page.links.append(threading.current_thread().name)


threads = [threading.Thread(target=read, args=(mine,)) for mine in seen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len({id(mine[number]) for mine in seen}) > 1 for number in range(ROUNDS))
print(f"RESULT {twice} of {ROUNDS} lists were made more than once")
