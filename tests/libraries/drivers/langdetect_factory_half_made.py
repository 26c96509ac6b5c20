"""The one factory is there before its profiles are: another thread finds none.

requires: langdetect==1.0.9
include: langdetect
expect: stale check, intermediate read, read skew, failed access, unguarded check
at: langdetect/detector_factory.py
"""

import threading

from langdetect import detect
from langdetect.lang_detect_exception import LangDetectException

failures = []
ready = threading.Barrier(4)


def work(place):
    ready.wait()
    for _ in range(2):
        try:
            detect("Der Hund ist nicht im Garten.")
        except (LangDetectException, IndexError, KeyError) as error:
            failures.append(repr(error))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of 8 calls failed: {failures[:2]}")
