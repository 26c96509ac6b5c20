"""One validator, several callers: it keeps the document and its errors in attributes.

requires: cerberus==1.3.8
include: cerberus
expect: overwritten before read, unguarded own write, unrepeatable read
at: cerberus/validator.py
"""

import threading

from cerberus import Validator

validator = Validator({"name": {"type": "string", "maxlength": 20}, "age": {"type": "integer", "min": 0}})
barrier = threading.Barrier(4)
wrong, failures = [], []


def check(number):
    document = {"name": "n" * number, "age": number} if number % 2 else {"name": number, "age": -1}
    barrier.wait()
    for _ in range(150):
        try:
            if validator.validate(document) != bool(number % 2):
                wrong.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=check, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} wrong answers, {len(failures)} failures of 600")
