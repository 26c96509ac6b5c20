"""Two threads ask a request for the same parsed value: both parse it, and what one adds to it is lost.

requires: Werkzeug==3.1.9
include: werkzeug.utils
expect: stale check, unguarded check
at: werkzeug/utils.py
"""

import threading

from werkzeug.utils import cached_property


class Upload:
    @cached_property
    def parts(self):
        return [part for part in ("a;b;c;d;e;f" * 9).split(";") if part.strip()]


ROUNDS = 6000
uploads = [Upload() for _ in range(ROUNDS)]


def scan():
    for upload in uploads:
        upload.parts.append("scanned")


threads = [threading.Thread(target=scan) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {sum(len(upload.parts) != 50 for upload in uploads)} of {ROUNDS} uploads lost an entry")
