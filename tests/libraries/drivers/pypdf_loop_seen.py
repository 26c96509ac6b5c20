"""What is being read is noted, to find an object that refers to itself: two threads that read it seem a loop.

requires: pypdf==7.1.1
include: pypdf
expect: stale check, unguarded check, failed access
at: pypdf/_reader.py
"""

import io
import threading

from pypdf import PdfReader, PdfWriter

PAGES = 30
writer = PdfWriter()
for number in range(PAGES):
    writer.add_blank_page(width=100 + number, height=100)
file = io.BytesIO()
writer.write(file)
readers = [PdfReader(io.BytesIO(file.getvalue())) for _ in range(4)]
start = threading.Barrier(3)
wrong = []
failures = []


def work():
    for reader in readers:
        start.wait()
        for number in range(PAGES):
            try:
                if reader.pages[number].mediabox.width != 100 + number:
                    wrong.append(number)
            except Exception as error:
                failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {12 * PAGES} pages are wrong, {len(failures)} failed: {failures[:1]}")
