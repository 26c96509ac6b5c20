"""Threads number the same words in a shared vocabulary: numbers and words no longer agree.

requires: ordered-set==4.1.0
include: ordered_set
expect: stale check, unguarded check
at: ordered_set/__init__.py:OrderedSet.add
"""

import threading
from dataclasses import dataclass

from ordered_set import OrderedSet


@dataclass(frozen=True)
class Word:
    text: str
    language: str


words = [Word(f"word{number}", "en") for number in range(1000)]
vocabulary = OrderedSet()
ready = threading.Barrier(4)
failures = []


def work():
    for number, word in enumerate(words):
        if number % 50 == 0:
            ready.wait()
        try:
            vocabulary.add(Word(word.text, word.language))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = sum(vocabulary[number] != word for word, number in vocabulary.map.items())
print(f"RESULT {len(vocabulary)} items of {len(words)} words, {wrong} have a wrong number, {len(failures)} failed")
