"""Rows are dropped while a column is computed: its values go to the wrong rows.

requires: tablib==3.10.0
include: tablib
expect: changed while iterated, unrepeatable read, failed access
at: tablib/core.py:Dataset.insert_col, tablib/core.py:Dataset.lpop, tablib/core.py:Dataset.__delitem__
"""

import threading
import time

import tablib
from tablib.exceptions import InvalidDimensions


def address(row):
    time.sleep(0.0003)
    return f"address of {row[0]}"


visits = tablib.Dataset(headers=["visitor", "pages"])
for number in range(60):
    visits.append((f"visitor {number}", number))
refused = []


def enrich():
    try:
        visits.append_col(address, header="address")
    except InvalidDimensions as error:
        refused.append(error)


def expire():
    for _ in range(20):
        visits.lpop()
        time.sleep(0.0005)


threads = [threading.Thread(target=work) for work in (enrich, expire)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = [row for row in visits if row[-1] != f"address of {row[0]}"]
print(f"RESULT {len(wrong)} of {len(visits)} rows have the address of another, {len(refused)} columns were refused")
