"""Environments whose templates are loaded, cached and rendered by all threads, as the documentation allows.

requires: Jinja2==3.1.6
include: jinja2
expect: nothing
"""

import threading

from jinja2 import DictLoader, Environment

ROUNDS = 20
pages = {f"page{number}": "Hello {{ name|upper }}! {% for n in numbers %}{{ n }}{% endfor %}" for number in range(3)}
environments = [Environment(loader=DictLoader(pages), cache_size=2) for _ in range(ROUNDS)]
wrong = []


def render(name):
    for number, environment in enumerate(environments):
        for page in (f"page{number % 3}", "page0"):
            text = environment.get_template(page).render(name=name, numbers=range(3))
            if text != f"Hello {name.upper()}! 012":
                wrong.append(text)


threads = [threading.Thread(target=render, args=(name,)) for name in ("ann", "bob", "cy", "di")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {8 * ROUNDS} pages are wrong")
