"""A lexicon is loaded as it is first asked: another thread finds it not empty, and its words are not in it yet.

requires: textblob==0.20.1
include: textblob
expect: stale check, unguarded check, intermediate read, read skew
at: textblob/_text.py
"""

import threading

from textblob.taggers import PatternTagger

tagger = PatternTagger()
TEXT = "The yellow zebra quickly jumped over a wooden fence"
start = threading.Barrier(4)
tags = []
failures = []


def work():
    start.wait()
    for _ in range(15):
        try:
            tags.append(tuple(tagger.tag(TEXT)))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
right = tuple(tagger.tag(TEXT))
print(f"RESULT {sum(each != right for each in tags)} of 60 texts have wrong tags, {len(failures)} failed")
