"""Threads parse expressions by one XPath parser, which keeps its place in itself: one reads the tokens of another.

requires: elementpath==5.1.4
include: elementpath
expect: overwritten before read, failed access, stale check, unrepeatable read
at: elementpath/tdop.py:Parser.parse, elementpath/tdop.py:Parser.advance, elementpath/tdop.py:Parser.expression
"""

import threading

from elementpath import XPath2Parser

parser = XPath2Parser(namespaces={"a": "http://example.org/a"})
ready = threading.Barrier(3)
failed, wrong = [], []


def parse(place):
    path = f"/a:root{place}/a:item[@id = {place}]/a:name[position() < {place + 3} and not(@hidden)]"
    ready.wait()
    for number in range(200):
        try:
            if parser.parse(path).tree != expected[place]:
                wrong.append(path)
        except Exception as error:
            failed.append(error)


expected = [
    parser.parse(f"/a:root{p}/a:item[@id = {p}]/a:name[position() < {p + 3} and not(@hidden)]").tree for p in range(3)
]
threads = [threading.Thread(target=parse, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failed)} expressions of 600 failed, {len(wrong)} are another")
