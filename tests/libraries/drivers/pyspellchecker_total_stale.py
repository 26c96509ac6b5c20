"""Threads add words to the same dictionary: one fails as it adds up, or writes the totals of before the last word.

requires: pyspellchecker==0.9.1
include: spellchecker
expect: failed access, changed while iterated, unguarded iteration, lost update, unguarded update, write skew
at: spellchecker/spellchecker.py
"""

# After each word the totals are computed anew from the whole dictionary, and written to attributes. Another thread that
# adds a word meanwhile breaks the iteration (RuntimeError), or its word is lacking in the totals that are written last.

import threading

from spellchecker import SpellChecker

ROUNDS = 60
failures = []
wrong = []
start = threading.Barrier(4, timeout=20)
done = threading.Barrier(4, timeout=20)
frequency = SpellChecker(language=None).word_frequency
frequency.load_words([f"word{number}" for number in range(2000)])


def work(place):
    for number in range(ROUNDS):
        start.wait()
        try:
            frequency.add(f"new{place}x{number}")
        except RuntimeError as error:
            failures.append(error)
            import traceback

            traceback.print_exc()
        done.wait()
        if place == 0 and frequency.unique_words != len(list(frequency.words())):
            wrong.append(number)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT the totals were wrong after {len(wrong)} of {ROUNDS} rounds, {len(failures)} calls failed")
