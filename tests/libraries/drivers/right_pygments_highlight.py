"""Each thread has a lexer of its own, of classes that were used before.

requires: Pygments==2.21.0
include: pygments
expect: nothing
"""

import threading

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import IniLexer, PythonLexer

TEXT = "[shop]\nhost = localhost\nport = 80\n"
for each in (IniLexer, PythonLexer):
    highlight(TEXT, each(), HtmlFormatter())
shown = []


def work(place):
    for number in range(15):
        shown.append(highlight(TEXT, (IniLexer if number % 2 else PythonLexer)(), HtmlFormatter()))


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(shown))} different texts of {len(shown)}")
