"""A document is put where its parts find it: those of one thread find the document of another, or none.

requires: mistletoe==1.6.0
include: mistletoe
expect: overwritten before read, unguarded own write, failed access
at: mistletoe/block_token.py, mistletoe/span_token.py
"""

import threading

import mistletoe

start = threading.Barrier(3)
wrong = []
failures = []


def work(place):
    text = (
        f"# Page {place}\n\n"
        + f"See [the *page*][target] of `{place}`.\n\n" * 5
        + f"[target]: http://example.org/{place}\n"
    )
    start.wait()
    for _ in range(15):
        try:
            if mistletoe.markdown(text).count(f'href="http://example.org/{place}"') != 5:
                wrong.append(place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 45 pages are wrong, {len(failures)} failed: {failures[:1]}")
