"""Threads add links to a document and take the same id: a link leads elsewhere.

requires: python-docx==1.2.0
include: docx.opc.rel
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: docx/opc/rel.py
"""

# get_or_add_ext_rel() asks _next_rId for the first id that is not taken, makes a relationship, and stores it under that
# id: two threads find the same one, and one relationship replaces the other.

import threading

from docx import Document
from docx.opc.constants import RELATIONSHIP_TYPE

LINKS = 250
document = Document()
links = {}
failures = []
start = threading.Barrier(3, timeout=20)


def work(place):
    for number in range(LINKS):
        if number % 25 == 0:
            start.wait()
        url = f"https://example.org/{place}/{number}"
        try:
            links[url] = document.part.relate_to(url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
wrong = sum(document.part.rels[link].target_ref != url for url, link in links.items())
print(f"RESULT {wrong} of {len(links)} links lead elsewhere, {len(failures)} calls failed")
