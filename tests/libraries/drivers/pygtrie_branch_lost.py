"""Threads put different keys of the same new branch into a trie: some are lost.

requires: pygtrie==2.6.2
include: pygtrie
expect: lost update, unguarded update
at: pygtrie.py
"""

import threading

from pygtrie import StringTrie

FIELDS = ["name", "mail", "phone", "city"]
USERS = 400
settings = StringTrie(separator="/")
ready = threading.Barrier(len(FIELDS))
failures = []


def work(field):
    for user in range(USERS):
        if user % 50 == 0:
            ready.wait()
        try:
            settings[f"users/{user}/{field}/value"] = user
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(field,)) for field in FIELDS]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(settings)} of {USERS * len(FIELDS)} keys are there, {len(failures)} failed")
