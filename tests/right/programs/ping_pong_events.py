"""Two threads take turns by two events. What each writes, the other one reads only after it was told."""

import threading


class Table:
    def __init__(self):
        self.ball = 0
        self.ping = threading.Event()
        self.pong = threading.Event()


table = Table()
hits = []


def player(mine, other, amount):
    for _ in range(amount):
        mine.wait()
        mine.clear()
        table.ball += 1
        hits.append(table.ball)
        other.set()


threads = [
    threading.Thread(target=player, args=(table.ping, table.pong, 50)),
    threading.Thread(target=player, args=(table.pong, table.ping, 50)),
]
for thread in threads:
    thread.start()
table.ping.set()
for thread in threads:
    thread.join()
assert hits == list(range(1, 101))
