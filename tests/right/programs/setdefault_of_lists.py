"""dict.setdefault is one step: all threads append to the list that was put there first."""

import threading

groups = {}


def work(number):
    for each in range(80):
        groups.setdefault(each % 10, []).append((number, each))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(groups) == 10 and all(len(set(entries)) == 32 for entries in groups.values())
