"""Threads fill their own sheet of a workbook: cells get another cell's font.

requires: openpyxl==3.1.5
include: openpyxl
expect: stale check, unguarded check
at: openpyxl/utils/indexed_list.py
"""

import threading

from openpyxl import Workbook
from openpyxl.styles import Font

ROWS = 250
workbook = Workbook()
sheets = [workbook.create_sheet(f"sheet{place}") for place in range(3)]
failures = []


def fill(sheet):
    for row in range(1, ROWS):
        try:
            sheet.cell(row, 1, row).font = Font(name="Arial", size=row)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=fill, args=(sheet,)) for sheet in sheets]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = 0
for sheet in sheets:
    for row in range(1, ROWS):
        try:
            wrong += sheet.cell(row, 1).font.size != row
        except IndexError:
            wrong += 1
print(f"RESULT {wrong} cells have a wrong font, {len(failures)} failed")
