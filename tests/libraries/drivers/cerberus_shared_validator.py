"""A validator keeps the document and its errors in itself: threads that share it judge each other's documents.

requires: Cerberus==1.3.8
include: cerberus
expect: overwritten before read, unguarded own write
at: cerberus/validator.py, cerberus/errors.py
"""

import threading

from cerberus import Validator

validator = Validator({"name": {"type": "string"}, "age": {"type": "integer", "min": 0}})
wrong = []
failures = []


def check(document, valid):
    for _ in range(120):
        try:
            if validator.validate(document) != valid:
                wrong.append(document)
        except Exception as error:
            failures.append(error)


documents = [({"name": "a", "age": 3}, True), ({"name": "b", "age": -1}, False), ({"name": 7, "age": 3}, False)]
threads = [threading.Thread(target=check, args=what) for what in documents]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 360 verdicts are wrong, {len(failures)} checks failed")
