"""Sessions are added while a flush takes the list of them away: some are added to the old one.

requires: sentry-sdk==2.75.0
include: sentry_sdk.sessions
expect: stale container, unguarded change
at: sentry_sdk/sessions.py
"""

import threading
import time

from sentry_sdk.session import Session
from sentry_sdk.sessions import SessionFlusher

ADDED = 1500
sent = []
failures = []
flusher = SessionFlusher(lambda envelope: sent.append(len(envelope.items)), flush_interval=1000)
barrier = threading.Barrier(2)
done = threading.Event()


def add():
    barrier.wait()
    try:
        for _ in range(ADDED):
            flusher.add_session(Session(release="1"))
    except Exception as error:
        failures.append(error)
    done.set()


def flush():
    barrier.wait()
    while not done.is_set():
        try:
            flusher.flush()
        except Exception as error:
            failures.append(error)
        time.sleep(0.001)


threads = [threading.Thread(target=each) for each in (add, flush)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
flusher.flush()
print("RESULT", sum(sent), "of", ADDED, "sessions", len(failures), "failures")
