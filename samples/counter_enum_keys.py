# Finds: 40000 - printed lost updates of votes[Color.RED].
#
# The GIL does not protect `votes[Color.RED] += 1`: the __hash__ of an Enum member is written in Python, and where
# Python code runs the interpreter may switch threads: here in the middle of the increment. With a str key nothing is
# lost.

import sys
from enum import Enum
from threading import Thread


class Color(Enum):
    RED = "red"


votes = {Color.RED: 0}


def vote():
    for _ in range(20_000):
        votes[Color.RED] += 1


sys.setswitchinterval(1e-5)  # switch often, so that a short run shows what a long one would
threads = [Thread(target=vote) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(votes[Color.RED])
