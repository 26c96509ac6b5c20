"""One thread copies a filesystem into another, a second one copies it back: each has the lock of its source.

requires: fs==2.4.16, setuptools==80.9.0
include: fs
expect: deadlock
at: fs/copy.py
"""

# A copy takes the lock of the source, then that of the target. Two copies in the opposite directions each hold what the
# other waits for.

import threading
import warnings

warnings.simplefilter("ignore")

from fs.copy import copy_fs  # noqa: E402
from fs.memoryfs import MemoryFS  # noqa: E402

ROUNDS = 30
left, right = MemoryFS(), MemoryFS()
for number in range(10):
    left.writetext(f"left-{number}.txt", "text")
    right.writetext(f"right-{number}.txt", "text")
done = [0, 0]


def mirror(source, target, mine):
    for _ in range(ROUNDS):
        copy_fs(source, target)
        done[mine] += 1


threads = [
    threading.Thread(target=mirror, args=(left, right, 0), daemon=True),
    threading.Thread(target=mirror, args=(right, left, 1), daemon=True),
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} threads stand still, after {done} copies of {ROUNDS}")
