"""Threads fill their own sheet of a workbook: without the GIL two strings get the same number.

requires: xlsxwriter==3.3.1
include: xlsxwriter
expect: unguarded check:gil-only, unguarded update:gil-only
at: xlsxwriter/sharedstrings.py:SharedStringTable._get_shared_string_index
"""

import io
import threading

import xlsxwriter

ROWS = 400
workbook = xlsxwriter.Workbook(io.BytesIO(), {"in_memory": True})
sheets = [workbook.add_worksheet() for _ in range(3)]
failures = []


def fill(sheet):
    for row in range(ROWS):
        try:
            sheet.write_string(row, 0, f"name {row}")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=fill, args=(sheet,)) for sheet in sheets]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
table = sheets[0].str_table
numbers = set(table.string_table.values())
print(f"RESULT {ROWS} strings have {len(numbers)} numbers, {table.count} of {3 * ROWS} counted, {len(failures)} failed")
