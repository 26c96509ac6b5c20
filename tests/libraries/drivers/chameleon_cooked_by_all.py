"""A template is compiled at its first use, or after a change: all threads that need it compile it.

requires: Chameleon==4.6.0
include: chameleon
expect: stale check, unguarded check
at: chameleon/template.py
"""

# A template looks whether it is compiled, reads its file, compiles that, and says so at the end. Compiling takes
# milliseconds, in which all other threads look and compile too (after each change of the file at run time, too).

import pathlib
import tempfile
import threading

from chameleon import PageTemplateFile

TEMPLATES = 6
TEXT = '<html><ul><li tal:repeat="item items">${item} of %d</li></ul></html>'
folder = pathlib.Path(tempfile.mkdtemp())
templates = []
for number in range(TEMPLATES):
    path = folder / f"page{number}.pt"
    path.write_text(TEXT % number)
    templates.append(PageTemplateFile(str(path)))
start = threading.Barrier(3, timeout=20)
compiled = []
failures = []
cook = PageTemplateFile.cook


def counted(self, body):
    compiled.append(self.filename)
    cook(self, body)


PageTemplateFile.cook = counted


def work():
    for template in templates:
        start.wait()
        try:
            template(items=["a", "b"])
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {TEMPLATES} templates were compiled {len(compiled)} times, {len(failures)} failed")
