"""Threads share one parser, which is made once for its grammar: one text is parsed as another.

requires: Arpeggio==2.0.3
include: arpeggio
expect: overwritten before read, unguarded own write, failed access, lost update, unguarded update
at: arpeggio/__init__.py
"""

# The parser keeps its text, its position, and its cache in itself. A second thread that begins to parse sets them
# anew, and the first goes on in the text of the other.

import threading

from arpeggio import EOF, NoMatch, OneOrMore, ParserPython
from arpeggio import RegExMatch as Match


def number():
    return Match(r"\d+")


def numbers():
    return OneOrMore(number, sep=","), EOF


TEXTS = 600
parser = ParserPython(numbers)
start = threading.Barrier(3)
failures = []
wrong = []


def parse(mine):
    start.wait()
    for text in range(TEXTS):
        written = ",".join([str(mine)] * (10 + text % 7))
        try:
            tree = parser.parse(written)
            if [str(node) for node in tree if node.rule_name == "number"] != written.split(","):
                wrong.append(written)
        except (NoMatch, AttributeError, IndexError, TypeError, KeyError) as error:
            failures.append(error)


threads = [threading.Thread(target=parse, args=(mine,)) for mine in (7, 55, 333)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT of {3 * TEXTS} texts {len(failures)} failed and {len(wrong)} were parsed as another")
