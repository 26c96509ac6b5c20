"""Threads check with the same schema: the matches of all are counted together, right data is refused.

requires: schema==0.7.8
include: schema
expect: stale check, overwritten before read, lost update, unguarded own write
at: schema/__init__.py:Or.validate, schema/__init__.py:Or.reset
"""

import threading
import time

from schema import Or, Schema, SchemaError


def known(address):
    time.sleep(0.0005)
    return True


contact = Schema({"name": str, Or("mail", "phone", only_one=True): known})
refused = []


def serve(key):
    for number in range(30):
        try:
            contact.validate({"name": f"user {number}", key: "anything"})
        except SchemaError as error:
            refused.append(error)
        time.sleep(0.0003)


threads = [threading.Thread(target=serve, args=(key,)) for key in ("mail", "phone", "mail")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(refused)} of 90 right contacts were refused")
