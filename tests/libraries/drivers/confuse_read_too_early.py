"""A configuration says that it was read before it is: another thread finds nothing in it.

requires: confuse==2.3.0
include: confuse
expect: read skew, intermediate read, stale check, unguarded check
at: confuse/core.py
"""

import os
import tempfile
import threading

import confuse

failures = []
ready = threading.Barrier(4)
ROUNDS = 40
folder = tempfile.mkdtemp()
with open(os.path.join(folder, "config.yaml"), "w") as file:
    file.write("host: localhost\nport: 80\nnames: [a, b, c]\n")
os.environ["SHOPDIR"] = folder
configurations = [confuse.LazyConfig("shop") for _ in range(ROUNDS)]


def work(place):
    for configuration in configurations:
        ready.wait()
        try:
            configuration["host"].get(str)
        except confuse.NotFoundError as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {4 * ROUNDS} found no host")
