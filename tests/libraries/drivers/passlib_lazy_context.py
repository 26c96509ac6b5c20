"""A lazy context is set up by each thread that uses it first: the second has nothing left to set it up by.

requires: passlib==1.7.4
include: passlib.context
expect: failed access, stale check, unguarded check
at: passlib/context.py
"""

import threading

from passlib.context import LazyCryptContext

ROUNDS = 500
contexts = [LazyCryptContext(["sha256_crypt", "md5_crypt"], default="sha256_crypt") for _ in range(ROUNDS)]
failures = []


def use():
    for context in contexts:
        try:
            context.schemes()
        except (AttributeError, TypeError) as error:
            failures.append(error)


threads = [threading.Thread(target=use) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {4 * ROUNDS} uses failed")
