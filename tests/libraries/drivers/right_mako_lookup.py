"""Templates are looked up and rendered by several threads.

requires: Mako==1.4.3
include: mako
expect: nothing
"""

import pathlib
import tempfile
import threading

from mako.lookup import TemplateLookup

wrong = []


def work(lookup, place):
    for number in range(40):
        text = lookup.get_template(f"page{number % 8}.txt").render(name=place)
        if text.strip() != f"page {number % 8} of {place}":
            wrong.append(text)


with tempfile.TemporaryDirectory() as folder:
    for number in range(8):
        pathlib.Path(folder, f"page{number}.txt").write_text(f"page {number} of ${{name}}\n")
    lookup = TemplateLookup([folder])
    threads = [threading.Thread(target=work, args=(lookup, place)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(f"RESULT {len(wrong)} of 120 pages are wrong")
