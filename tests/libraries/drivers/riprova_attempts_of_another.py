"""Threads call the same function that is tried again: they share its count of tries, and give up too early.

requires: riprova==0.3.1
include: riprova
expect: overwritten before read, lost update, unguarded own write, stale check
at: riprova/retrier.py:Retrier.run, riprova/strategies/constant.py:ConstantBackoff.next
"""

import threading
import time

import riprova

tries = threading.local()


@riprova.retry(backoff=riprova.ConstantBackoff(interval=0.0005, retries=4))
def fetch():
    tries.made += 1
    time.sleep(0.0005)
    if tries.made < 4:
        raise OSError("not yet")


wrong = []


def serve():
    for _ in range(12):
        tries.made = 0
        try:
            fetch()
        except Exception as error:
            wrong.append(error)


threads = [threading.Thread(target=serve) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 36 calls gave up before their last try: {wrong[:1]!r:.80}")
