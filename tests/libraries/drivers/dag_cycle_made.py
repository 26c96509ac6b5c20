"""Two threads add edges against each other: each finds its own graph valid, together they make a cycle.

requires: py-dag==3.0.1
include: dag
expect: stale check
at: dag/__init__.py:DAG.add_edge
"""

import threading

from dag import DAG, DAGValidationError

JOBS = 400
start = threading.Barrier(2)
graph = DAG()
for number in range(JOBS):
    graph.add_node(f"load {number}")
    graph.add_node(f"check {number}")
refused = []


def link(first, second):
    for number in range(12):
        start.wait()
        try:
            graph.add_edge(f"{first} {number}", f"{second} {number}")
        except DAGValidationError as error:
            refused.append(error)


threads = [threading.Thread(target=link, args=pair) for pair in (("load", "check"), ("check", "load"))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
cycles = sum(
    f"check {number}" in graph.graph[f"load {number}"] and f"load {number}" in graph.graph[f"check {number}"]
    for number in range(12)
)
print(f"RESULT {cycles} cycles are in the acyclic graph, {len(refused)} of 24 edges were refused")
