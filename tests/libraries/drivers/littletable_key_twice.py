"""Threads put records into a table of which a key is unique: it is looked for, then the records are put in, twice.

requires: littletable==3.0.2
include: littletable
expect: stale check
at: littletable.py:Table.insert_many
"""

import threading
import time

import littletable


class Record:
    def __init__(self, code, place):
        self._code = code
        self.place = place

    @property
    def code(self):
        time.sleep(0.0002)
        return self._code


def read_lines(group, place):
    return [Record(group * 5 + number, place) for number in range(5)]


GROUPS = 40
table = littletable.Table("codes")
table.create_index("code", unique=True)
ready = threading.Barrier(4)
refused = []


def load(place):
    for group in range(GROUPS):
        ready.wait()
        try:
            table.insert_many(read_lines(group, place))
        except KeyError as error:
            refused.append(error)


threads = [threading.Thread(target=load, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(table)} records of {GROUPS * 5} codes, {len(refused)} loads of {3 * GROUPS} were refused")
