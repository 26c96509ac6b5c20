"""Threads convert texts by one converter: links and footnotes of one text get into the other.

requires: textile==4.0.4
include: textile.core
expect: overwritten before read, unguarded own write, lost update, unguarded update, failed access
at: textile/core.py
"""

# parse() resets what the converter keeps of a text (its shelf of finished parts, its links and notes), fills it, and
# reads it back at the end: another thread that parses by the same one replaces or clears it between.

import threading

from textile import Textile

converter = Textile()
failures = []
wrong = []
start = threading.Barrier(3, timeout=20)


def work(place):
    text = f'h1. Title {place}\n\nA "page":page and *strong {place}* text.\n\n[page]https://example.org/{place}\n'
    expected = Textile().parse(text)
    start.wait()
    for _ in range(150):
        try:
            html = converter.parse(text)
        except Exception as error:
            failures.append(error)
        else:
            if html != expected:
                wrong.append(html)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 450 texts are wrong, {len(failures)} failed")
