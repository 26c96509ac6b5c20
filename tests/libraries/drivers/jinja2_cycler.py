"""A cycler that threads share gives the same value twice and skips another.

requires: Jinja2==3.1.6
include: jinja2.utils
expect: lost update, unguarded update, overwritten before read
at: jinja2/utils.py:Cycler.next
"""

import threading
from collections import Counter

from jinja2.utils import Cycler

servers = Cycler(*range(8))
chosen = [[] for _ in range(4)]


def choose(mine):
    for _ in range(4000):
        mine.append(servers.next())


threads = [threading.Thread(target=choose, args=(mine,)) for mine in chosen]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counts = Counter(server for mine in chosen for server in mine)
print(f"RESULT of 16000 turns a server got {min(counts.values())} to {max(counts.values())}")
