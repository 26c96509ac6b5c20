"""Threads parse documents with the same parser: a document gets elements of another, or none.

requires: html5lib==1.1
include: html5lib
expect: overwritten before read, unguarded own write
at: html5lib/html5parser.py, html5lib/treebuilders/base.py, html5lib/treebuilders/etree.py
"""

import threading

import html5lib

parser = html5lib.HTMLParser(namespaceHTMLElements=False)
wrong = []
failures = []


def work(place):
    for number in range(12):
        text = f"<p>{place}-{number}</p>" * 5
        try:
            document = parser.parse(f"<html><body>{text}</body></html>")
            if {part.text for part in document.iter("p")} != {f"{place}-{number}"}:
                wrong.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 36 documents are wrong, {len(failures)} failed")
