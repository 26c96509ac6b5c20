"""Two threads count by themselves, and at every twentieth step together."""

import json
import sys
from threading import Barrier, Thread
from time import monotonic, perf_counter

increments = int(sys.argv[1])
cells = [0]
barrier = Barrier(3)


def work():
    mine = [0]
    barrier.wait()
    for _ in range(increments // 20):
        for _ in range(19):
            mine[0] += 1
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
steps = 2 * (increments // 20)
print(json.dumps({"seconds": seconds, "steps": 2 * increments, "destroyed": steps - cells[0], "end": monotonic()}))
