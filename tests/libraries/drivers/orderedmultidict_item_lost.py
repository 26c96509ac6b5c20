"""Two threads append to an ordered multidict behind the same tail: an item is in the map, but not in the list.

requires: orderedmultidict==1.0.2, six==1.17.0
include: orderedmultidict
expect: lost update, overwritten before read
at: orderedmultidict/itemlist.py:itemlist.append
"""

import threading

from orderedmultidict import omdict

COUNT = 3000
NAMES = ("accept", "cookie", "link", "via")
headers = omdict()


def collect(name):
    for number in range(COUNT):
        headers.addlist(name, [number] * 8)


threads = [threading.Thread(target=collect, args=(name,)) for name in NAMES]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
added = sum(len(headers.getlist(name)) for name in NAMES)
listed = len(headers.allitems())
print(f"RESULT {added - listed} of {added} items are missing when the items are listed")
