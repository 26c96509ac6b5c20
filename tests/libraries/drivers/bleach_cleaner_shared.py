"""Threads clean texts by one cleaner, which keeps its parser: one text gets parts of another, or fails.

requires: bleach==6.4.0, webencodings==0.6.1
include: bleach
expect: overwritten before read, failed access, unrepeatable read, stale check, lost update
at: bleach/html5lib_shim.py:BleachHTMLParser._parse, bleach/_vendor/html5lib/html5parser.py:HTMLParser.reset
"""

import threading

from bleach.sanitizer import Cleaner

cleaner = Cleaner(tags={"b", "i", "p", "em"})
ready = threading.Barrier(3)
wrong, failed = [], []


def comment(place):
    return "".join(f"<p>comment <b>{place}</b> of <i>user {place}</i> <script>x</script></p>" for _ in range(5))


right = [cleaner.clean(comment(place)) for place in range(3)]


def clean(place):
    ready.wait()
    for _ in range(60):
        try:
            if cleaner.clean(comment(place)) != right[place]:
                wrong.append(place)
        except Exception as error:
            failed.append(error)


threads = [threading.Thread(target=clean, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} texts of 180 are another's, {len(failed)} failed")
