"""A provider is patched for a block by two threads: one of them gets the value of the other.

requires: simple-di==0.1.5
include: simple_di
expect: overwritten before read, unguarded own write
at: simple_di/__init__.py
"""

import threading

from simple_di.providers import Static

tenant = Static("nobody")
wrong = []


def request(name):
    for number in range(8000):
        mine = f"{name} {number}"
        with tenant.patch(mine):
            got = tenant.get()
            if got != mine:
                wrong.append(got)


threads = [threading.Thread(target=request, args=(name,)) for name in ("ann", "bob", "eve")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of 24000 requests had another's tenant; it is {tenant.get()!r} at last")
