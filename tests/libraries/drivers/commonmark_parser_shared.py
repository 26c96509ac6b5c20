"""Threads render pages with one parser: it keeps the page, the line and the place in itself, and mixes them or fails.

requires: commonmark==0.9.2
include: commonmark
expect: overwritten before read, failed access, unrepeatable read, lost update, stale check
at: commonmark/blocks.py, commonmark/inlines.py
"""

import threading

import commonmark

parser = commonmark.Parser()
renderer = commonmark.HtmlRenderer
ready = threading.Barrier(4)
wrong, failed = [], []
PAGE = (
    "# Page {0}\n\nSome *text* of page {0}.\n\n- one of {0}\n- two of {0}\n\n> said by {0}\n\n[link {0}](/p{0})\n\n" * 3
)
EXPECTED = [renderer().render(commonmark.Parser().parse(PAGE.format(place))) for place in range(4)]


def render(place):
    ready.wait()
    for _ in range(25):
        try:
            page = renderer().render(parser.parse(PAGE.format(place)))
        except Exception as error:
            failed.append(error)
        else:
            if page != EXPECTED[place]:
                wrong.append(page)


threads = [threading.Thread(target=render, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} pages of 100 are wrong, {len(failed)} failed")
