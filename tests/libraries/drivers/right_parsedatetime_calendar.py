"""Threads parse times with the same calendar, which keeps the context of each in storage of its own.

requires: parsedatetime==2.6
include: parsedatetime
expect: nothing
"""

import datetime
import threading

import parsedatetime

TIMES = 40
TEXTS = ("tomorrow at 6pm", "August 25th, 2015 5pm", "in 3 days", "next monday 10:30")
SOURCE = datetime.datetime(2026, 1, 1)
calendar = parsedatetime.Calendar()
right = [calendar.parseDT(text, SOURCE) for text in TEXTS]
wrong = []


def work():
    for _ in range(TIMES):
        for text, expected in zip(TEXTS, right, strict=True):
            if calendar.parseDT(text, SOURCE) != expected:
                wrong.append(text)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * TIMES * len(TEXTS)} times are wrong")
