"""Two threads add the first edge of a node: the one makes its neighbours anew, and the other's edge is gone.

requires: networkx==3.7
include: networkx.classes.graph
expect: stale check, unguarded check
at: networkx/classes/graph.py:Graph.add_edge
"""

import threading

import networkx

graph = networkx.Graph()
ROUNDS = 4000
failures = []


def connect(place):
    for number in range(ROUNDS):
        try:
            graph.add_edge(number, f"{place}.{number}")
        except KeyError as error:
            failures.append(error)


threads = [threading.Thread(target=connect, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
lost = sum(f"{place}.{number}" not in graph[number] for place in range(4) for number in range(ROUNDS))
print(f"RESULT {lost} of {4 * ROUNDS} edges are gone, {len(failures)} calls failed")
