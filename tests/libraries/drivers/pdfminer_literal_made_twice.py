"""Each name of a PDF is to be one object, so that names are compared by `is`: two threads make one each.

requires: pdfminer.six==20260107
include: pdfminer
expect: stale check, unguarded check
at: pdfminer/psparser.py:PSSymbolTable.intern
"""

import io
import threading

from pdfminer.psparser import PSEOF, PSBaseParser

PAGES = [b" ".join(b"/Font%d_%d" % (page, number) for number in range(40)) + b" " for page in range(12)]
start = threading.Barrier(4)
names = [[] for _ in range(4)]
failures = []


def read(place):
    start.wait()
    for page in PAGES:
        try:
            parser = PSBaseParser(io.BytesIO(page))
            while True:
                names[place].append(parser.nexttoken()[1])
        except PSEOF:
            pass
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=read, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
twice = sum(len({id(name) for name in same}) > 1 for same in zip(*names, strict=True))
print(f"RESULT {twice} of {len(names[0])} names are there twice, {len(failures)} failed")
