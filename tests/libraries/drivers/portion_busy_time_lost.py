"""Threads mark times as busy in one interval dict: both extend the same old interval, and the time of one is lost.

requires: portion==2.6.3, sortedcontainers==2.4.0
include: portion
expect: lost update, stale check, failed access
at: portion/dict.py:IntervalDict.__setitem__
"""

import threading

import portion as P

COUNT = 120
calendar = P.IntervalDict()
failures = []


def book(first):
    for number in range(COUNT):
        start = first + 8 * number
        try:
            calendar[P.closedopen(start, start + 1)] = "busy"
        except (KeyError, ValueError, IndexError) as error:
            failures.append(error)


threads = [threading.Thread(target=book, args=(2 * place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(calendar.get(2 * number) != "busy" for number in range(4 * COUNT))
print(f"RESULT {lost} of {4 * COUNT} busy times were lost, {len(failures)} bookings failed")
