"""A cache that is to let one thread compute a value lets several, and one waits for nobody.

requires: CherryPy==18.10.0
include: cherrypy.lib.caching
expect: stale check, unguarded check
at: cherrypy/lib/caching.py:AntiStampedeCache.wait
"""

import threading

from cherrypy.lib.caching import AntiStampedeCache

cache = AntiStampedeCache()
computed = []
ready = threading.Barrier(4)
ROUNDS = 300


def work(place):
    for number in range(ROUNDS):
        ready.wait()
        if cache.wait(number, timeout=0.5) is None:
            computed.append(number)
            cache[number] = f"page {number}"


threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(computed)} computed of {ROUNDS} pages")
