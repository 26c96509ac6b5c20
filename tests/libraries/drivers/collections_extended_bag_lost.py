"""Threads count words in one bag: two put in the same word, and one of the two is lost.

requires: collections-extended==2.0.2
include: collections_extended
expect: lost update, unguarded update, stale check, unguarded check
at: collections_extended/bags.py
"""

# To add an element is to look its count up in a method, and to set the count, one more, in another method. A second
# thread that adds the same word between the two sets the same count, or one that is older.

import threading

from collections_extended import bag

WORDS = 40_000
words = bag()
start = threading.Barrier(4)


def count():
    start.wait()
    for number in range(WORDS):
        words.add(f"word-{number % 2}")


threads = [threading.Thread(target=count) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counted = sum(words.count(word) for word in words.unique_elements())
print(f"RESULT {counted} of {4 * WORDS} words were counted, and the size is {len(words)}")
