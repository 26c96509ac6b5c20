"""A singleton is injected into several threads at once: each gets its own.

requires: injectable==4.0.1
include: injectable, cached_property
expect: stale check, unguarded check
at: cached_property.py
"""

# A singleton is made at its first injection, by a property that caches without a lock: while the constructor runs,
# others find none and construct another one. Who came first keeps an object that nobody else has.

import pathlib
import tempfile
import threading

from injectable import inject, load_injection_container

SERVICES = 30
SOURCE = """
from injectable import injectable

made = []


class Service:
    def __init__(self):
        self.state = dict.fromkeys(range(2000))
        for key in self.state:
            self.state[key] = key
        made.append(self)

"""
folder = pathlib.Path(tempfile.mkdtemp())
services = "".join(
    f'\n@injectable(singleton=True, qualifier="service{number}")\nclass Service{number}(Service):\n    pass\n'
    for number in range(SERVICES)
)
(folder / "services.py").write_text(SOURCE + services)
load_injection_container(str(folder))
start = threading.Barrier(4, timeout=20)
used = [set() for _ in range(SERVICES)]
failures = []


def work():
    for number in range(SERVICES):
        start.wait()
        try:
            used[number].add(inject(f"service{number}"))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(map(len, used))} objects of {SERVICES} singletons are in use, {len(failures)} injections failed")
