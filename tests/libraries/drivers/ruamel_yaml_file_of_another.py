"""Threads load files with the same loader, which keeps where it is in the text: one reads on in the text of another.

requires: ruamel.yaml==0.19.1
include: ruamel.yaml
expect: overwritten before read, unguarded own write
at: ruamel/yaml/main.py, ruamel/yaml/reader.py, ruamel/yaml/scanner.py, ruamel/yaml/parser.py, ruamel/yaml/composer.py
"""

import threading

from ruamel.yaml import YAML

yaml = YAML(typ="safe", pure=True)
start = threading.Barrier(3)
wrong = []
failures = []


def work(place):
    text = f"name: host-{place}\nports: [80, {place}]\nusers:\n" + f"- {{name: user-{place}, group: staff}}\n" * 4
    right = YAML(typ="safe", pure=True).load(text)
    start.wait()
    for _ in range(12):
        try:
            if yaml.load(text) != right:
                wrong.append(place)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 36 files are wrong, {len(failures)} failed: {[type(error) for error in failures[:1]]}")
