"""Threads convert letters with one converter, which keeps the text and the list it is in, and mixes them.

requires: html2text==2025.4.15
include: html2text
expect: overwritten before read, lost update, failed access, unrepeatable read, stale check
at: html2text/__init__.py:HTML2Text.handle, html2text/__init__.py:HTML2Text.finish, html2text/__init__.py:HTML2Text.o
"""

import threading

import html2text

converter = html2text.HTML2Text()
LETTER = "<h1>Letter {0}</h1><p>To <b>{0}</b>:</p><ul><li>one of {0}</li><li>two of {0}</li></ul>" * 8
EXPECTED = [html2text.HTML2Text().handle(LETTER.format(place)) for place in range(4)]
ready = threading.Barrier(4)
wrong, failed = [], []


def convert(place):
    ready.wait()
    for _ in range(25):
        try:
            text = converter.handle(LETTER.format(place))
        except Exception as error:
            failed.append(error)
        else:
            if text != EXPECTED[place]:
                wrong.append(text)


threads = [threading.Thread(target=convert, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} letters of 100 are wrong, {len(failed)} failed")
