"""Threads add bookings to the same tree: some are not found later.

requires: intervaltree==3.2.1, sortedcontainers==2.4.0
include: intervaltree, sortedcontainers
expect: lost update, unguarded update
at: intervaltree/intervaltree.py
"""

import threading

from intervaltree import IntervalTree

BOOKINGS = 250
bookings = IntervalTree()
failures = []


def book(room):
    for number in range(BOOKINGS):
        begin = (number * 37 + room * 11) % 500
        try:
            bookings.addi(begin, begin + 5 + room, (room, number))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=book, args=(room,)) for room in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
missing = sum(interval not in bookings[interval.begin] for interval in bookings)
print(f"RESULT {missing} of {len(bookings)} bookings are not found, {len(failures)} were not made")
