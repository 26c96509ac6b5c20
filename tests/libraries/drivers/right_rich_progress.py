"""Tasks of a progress display are moved on by several threads; it has a lock.

requires: rich==15.0.0
include: rich.progress
expect: nothing
"""

import io
import threading

from rich.console import Console
from rich.progress import Progress

progress = Progress(console=Console(file=io.StringIO()), auto_refresh=False)
task = progress.add_task("work", total=1200)


def work():
    for _ in range(300):
        progress.advance(task)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {progress.tasks[0].completed:.0f} of 1200 steps")
