"""Templates whose code is compiled by the first who renders them; two may compile it, and it is the same.

requires: bottle==0.13.4
include: bottle
expect: nothing
"""

import threading

from bottle import SimpleTemplate

ROUNDS = 200
templates = [SimpleTemplate("Hello {{name}}! % if number:\\nand {{number}}\\n% end\\n") for _ in range(ROUNDS)]
wrong = []


def render(name):
    for number, template in enumerate(templates):
        if f"Hello {name}!" not in template.render(name=name, number=number):
            wrong.append(number)


threads = [threading.Thread(target=render, args=(name,)) for name in ("ann", "bob", "cy", "di")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {4 * ROUNDS} pages are wrong")
