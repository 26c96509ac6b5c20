"""A document's default role is set for all threads: one sets its own, or deletes it, as another has set its own.

requires: docutils==0.23
include: docutils
expect: overwritten before read, unguarded own write
at: docutils/parsers/rst/roles.py, docutils/parsers/rst/directives/misc.py, docutils/parsers/rst/__init__.py
"""

import threading

from docutils.core import publish_parts

SETTINGS = {"report_level": 5, "halt_level": 6}
start = threading.Barrier(3)
wrong = []
failures = []


def work(role, tag):
    words = "\n\n".join(f"A `word` here, as {number}." for number in range(250))
    text = f".. default-role:: {role}\n\n{words}\n"
    start.wait()
    for _ in range(4):
        try:
            body = publish_parts(text, writer="html5", settings_overrides=SETTINGS)["body"]
            if body.count(f"<{tag}>word</{tag}>") != 250:
                wrong.append(role)
        except Exception as error:
            failures.append(error)


roles = [("strong", "strong"), ("emphasis", "em"), ("subscript", "sub")]
threads = [threading.Thread(target=work, args=each) for each in roles]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 12 documents are wrong, {len(failures)} failed: {failures[:1]}")
