"""A stemmer keeps the word that it is at in itself.

requires: snowballstemmer==3.1.1
include: snowballstemmer
expect: overwritten before read, unguarded own write, failed access
at: snowballstemmer/basestemmer.py, snowballstemmer/english_stemmer.py
"""

import threading

from snowballstemmer.english_stemmer import EnglishStemmer

stemmer = EnglishStemmer()
WORDS = ("running", "nationalities", "happiness", "generously", "relational", "conditional", "flies", "agreed")
EXPECTED = {word: stemmer.stemWord(word) for word in WORDS}
wrong = []


def work(place):
    for _ in range(60):
        for word, stem in EXPECTED.items():
            try:
                if stemmer.stemWord(word) != stem:
                    wrong.append(word)
            except IndexError as error:
                wrong.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 1440 stems are wrong")
