"""Two threads increment one counter; with the GIL nothing is lost."""

import json
import sys
from threading import Barrier, Thread
from time import monotonic, perf_counter

increments = int(sys.argv[1])
cells = [0]
barrier = Barrier(3)


def work():
    barrier.wait()
    for _ in range(increments):
        cells[0] += 1


sys.setswitchinterval(1e-5)
threads = [Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
barrier.wait()
start = perf_counter()
for thread in threads:
    thread.join()
seconds = perf_counter() - start
steps = 2 * increments
print(json.dumps({"seconds": seconds, "steps": steps, "destroyed": steps - cells[0], "end": monotonic()}))
