"""Threads get the same thing out of a box, which makes it once under its lock.

requires: picobox==4.0.0
include: picobox
expect: nothing
"""

import threading

import picobox

THINGS = 120
made = []


class Connection:
    def __init__(self):
        self.state = dict.fromkeys(range(200))
        made.append(self)


box = picobox.Box()
for number in range(THINGS):
    box.put(f"connection{number}", factory=Connection, scope=picobox.singleton)
start = threading.Barrier(3, timeout=20)
used = [set() for _ in range(THINGS)]


@box.pass_("connection0", as_="connection")
def handle(connection):
    return connection


def work():
    for number in range(THINGS):
        start.wait()
        used[number].add(box.get(f"connection{number}"))
        used[0].add(handle())


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(made)} connections made, {sum(map(len, used))} used, for {THINGS} names")
