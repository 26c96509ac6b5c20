"""One converter, several texts: it keeps the lines and the stash of the current text in attributes.

requires: Markdown==3.11.3
include: markdown
expect: overwritten before read, unguarded own write, unrepeatable read, lost update, stale check, failed access
at: markdown/
"""

import threading

import markdown

converter = markdown.Markdown()
barrier = threading.Barrier(4)
wrong, failures = [], []


def convert(number):
    text = f"# Title {number}\n\n<b>{number}</b> *text* `code{number}`\n\n- one\n- two {number}\n"
    expected = markdown.Markdown().convert(text)
    barrier.wait()
    for _ in range(40):
        try:
            if converter.convert(text) != expected:
                wrong.append(number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=convert, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} wrong pages, {len(failures)} failures of 160")
