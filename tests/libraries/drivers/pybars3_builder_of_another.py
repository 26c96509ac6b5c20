"""Each thread has a compiler of its own, as the documents say, yet all build in the one builder of the class.

requires: pybars3==0.9.7, PyMeta3==0.5.1
include: pybars, pymeta
expect: overwritten before read, unrepeatable read, failed access
at: pybars/_compiler.py
"""

import threading

from pybars import Compiler

ROUNDS = 12
wrong = []
failed = []


def render(name):
    compiler = Compiler()
    for number in range(ROUNDS):
        try:
            template = compiler.compile("<h1>" + name + "</h1>{{#each list}}<li>{{this}}</li>{{/each}}")
            text = str(template({"list": [1, 2]}))
        except Exception as error:
            failed.append(error)
        else:
            if text != f"<h1>{name}</h1><li>1</li><li>2</li>":
                wrong.append(text)


threads = [threading.Thread(target=render, args=(name,)) for name in ("Ann", "Bob", "Cid")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
kinds = sorted({type(error).__name__ for error in failed})
print(f"RESULT {len(wrong)} of {3 * ROUNDS} pages were wrong, {len(failed)} failed {kinds}")
