"""Renderers of Markdown that all threads use: their parsers remember what they compiled, and both may compile it.

requires: mistune==3.4.0
include: mistune
expect: nothing
"""

import threading

import mistune

ROUNDS = 60
renderers = [mistune.create_markdown(plugins=["table", "footnotes"]) for _ in range(ROUNDS)]
wrong = []


def write(name):
    for number, render in enumerate(renderers):
        html = render(f"# {name}\n\n* one\n* **two** {number}\n\n[here](http://{name})\n")
        if f"<h1>{name}</h1>" not in html or f"</strong> {number}" not in html:
            wrong.append(html)


threads = [threading.Thread(target=write, args=(name,)) for name in ("ann", "bob", "cy", "di")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {4 * ROUNDS} pages are wrong")
