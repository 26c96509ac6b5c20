"""An environment whose templates are loaded, cached and rendered by all threads, as its documentation allows.

requires: Jinja2==3.1.6
include: jinja2
expect: nothing
"""

import threading

from jinja2 import DictLoader, Environment

pages = {f"page{number}": "Hello {{ name|upper }}! {% for n in numbers %}{{ n }}{% endfor %}" for number in range(8)}
environment = Environment(loader=DictLoader(pages), cache_size=5)
wrong = []


def render(name):
    for number in range(40):
        text = environment.get_template(f"page{number % 8}").render(name=name, numbers=range(3))
        if text != f"Hello {name.upper()}! 012":
            wrong.append(text)


threads = [threading.Thread(target=render, args=(name,)) for name in ("ann", "bob", "cy", "di")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 160 pages are wrong")
