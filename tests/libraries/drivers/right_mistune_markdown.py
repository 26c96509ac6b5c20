"""One renderer of Markdown for all threads: what it parses is kept in a state of each call.

requires: mistune==3.4.0
include: mistune
expect: nothing
"""

import threading

import mistune

render = mistune.create_markdown(plugins=["table", "footnotes"])
wrong = []


def write(name):
    for number in range(30):
        html = render(f"# {name}\n\n* one\n* **two** {number}\n\n[here](http://{name})\n")
        if f"<h1>{name}</h1>" not in html or f"</strong> {number}" not in html:
            wrong.append(html)


threads = [threading.Thread(target=write, args=(name,)) for name in ("ann", "bob", "cy", "di")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 120 pages are wrong")
