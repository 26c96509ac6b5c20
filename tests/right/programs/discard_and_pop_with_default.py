"""Entries are removed by set.discard and dict.pop with a default: who comes second removes nothing."""

import threading

online = {f"u{number}" for number in range(40)}
sessions = {f"u{number}": number for number in range(40)}
closed = []


def logout(name):
    online.discard(name)
    session = sessions.pop(name, None)
    if session is not None:
        closed.append(session)


def work(offset):
    for number in range(40):
        logout(f"u{(number * 7 + offset) % 40}")


threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not online and not sessions and sorted(closed) == list(range(40))
