"""A search in an n-gram index fails, as another thread adds names to it.

requires: ngram==4.0.3
include: ngram
expect: changed while iterated, failed access
at: ngram.py:NGram.items_sharing_ngrams, ngram.py:NGram.add
"""

import threading

from ngram import NGram

index = NGram(f"customer number {number}" for number in range(400))
failures = []
done = threading.Event()


def search():
    while not done.is_set() and len(failures) < 20:
        try:
            index.search("customer numbre 17", threshold=0.3)
        except (RuntimeError, KeyError) as error:
            failures.append(error)


def add():
    for number in range(400, 1600):
        index.add(f"customer number {number}")
    done.set()


threads = [threading.Thread(target=search) for _ in range(2)] + [threading.Thread(target=add)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = sorted({type(error).__name__ for error in failures})
print(f"RESULT {len(failures)} searches failed {kinds}")
