"""A finder of links builds its patterns anew when a schema is added: who looks for links meanwhile fails.

requires: linkify-it-py==2.2.0
include: linkify_it
expect: failed access, overwritten before read, stale check
at: linkify_it/main.py:LinkifyIt._compile, linkify_it/main.py:LinkifyIt.test, linkify_it/main.py:LinkifyIt.match
"""

import threading
import time

from linkify_it import LinkifyIt

TEXT = "See https://example.org/page or write to someone@example.org, or www.example.com"
linkify = LinkifyIt()
expected = len(linkify.match(TEXT))
ready = threading.Barrier(4)
over = threading.Event()
failed, wrong = [], []


def find():
    ready.wait()
    while not over.is_set():
        try:
            found = linkify.match(TEXT)
            if found is None or len(found) != expected:
                wrong.append(found)
        except Exception as error:
            failed.append(error)
        time.sleep(0.0005)


def add_plugins():
    ready.wait()
    for number in range(150):
        linkify.add(f"app{number}:", "http:")
    over.set()


threads = [threading.Thread(target=find) for _ in range(3)]
threads.append(threading.Thread(target=add_plugins))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failed)} searches failed, {len(wrong)} found too little")
