"""Whether errors are raised is set for the time of a parse, but for all threads: one that ends sets it back.

requires: cssutils==2.15.0
include: cssutils
expect: overwritten before read, unguarded own write
at: cssutils/parse.py, cssutils/errorhandler.py
"""

import logging
import threading
import xml.dom

import cssutils

cssutils.log.setLevel(logging.CRITICAL)
SHEET = "a { color: red } b { colour } c { top: 1px; left } d,, e { top: 1px }\n" * 4
start = threading.Barrier(3)
read = []
raised = []


def work():
    start.wait()
    for _ in range(8):
        try:
            read.append(len(cssutils.parseString(SHEET).cssRules))
        except xml.dom.DOMException as error:
            raised.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(read)} sheets were read, {len(raised)} of 24 raised an error that is to be logged")
