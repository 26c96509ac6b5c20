"""The line of an error is counted in a global: threads that render at the same time count each other's lines.

requires: chevron==0.14.0
include: chevron
expect: lost update, unguarded update, overwritten before read, unguarded own write
at: chevron/tokenizer.py
"""

import threading

import chevron

wrong = []


def render(lines):
    template = "text {{name}}\n" * lines + "{{#open}}\n{{/other}}\n"
    for _ in range(300):
        try:
            chevron.render(template, {"name": "x"})
        except chevron.ChevronError as error:
            if f"line {lines + 2}" not in str(error):
                wrong.append(error)


threads = [threading.Thread(target=render, args=(lines,)) for lines in (5, 20, 40)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 900 errors have a wrong line")
