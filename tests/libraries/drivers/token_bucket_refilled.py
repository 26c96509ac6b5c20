"""A bucket is refilled by what was in it before another thread took a token.

requires: token-bucket==0.4.0
include: token_bucket
expect: lost update, unguarded update, stale container, unguarded change
at: token_bucket/storage.py
"""

import threading

import token_bucket

limiter = token_bucket.Limiter(1, 3000, token_bucket.MemoryStorage())
passed = []


def call():
    for _ in range(4000):
        if limiter.consume("key"):
            passed.append(1)


threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(passed)} calls passed, about 3000 may")
