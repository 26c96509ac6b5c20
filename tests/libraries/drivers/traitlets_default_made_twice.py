"""The default of a trait is made as it is first read: two threads make a list each.

requires: traitlets==5.16.1
include: traitlets
expect: stale check, unguarded check
at: traitlets/traitlets.py:TraitType.get
"""

import threading

from traitlets import HasTraits, List, default


class Notebook(HasTraits):
    cells = List()

    @default("cells")
    def _cells(self):
        return [str(number) for number in range(30)]


ROUNDS = 1500
notebooks = [Notebook() for _ in range(ROUNDS)]


def add():
    for notebook in notebooks:
        notebook.cells.append("cell")


threads = [threading.Thread(target=add) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(len(notebook.cells) != 34 for notebook in notebooks)} of {ROUNDS} notebooks lost a cell")
