"""Threads collect words in one set.

set.add is one step and does nothing the second time, so there is no check to go stale.
"""

import threading

TEXT = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog", "and", "the", "cat"]
words = set()
lengths = {}


def work(offset):
    for turn in range(60):
        word = TEXT[(turn + offset) % len(TEXT)]
        words.add(word)
        if word not in lengths:
            lengths[word] = len(word)


threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert words == set(TEXT) and lengths == {word: len(word) for word in TEXT}
