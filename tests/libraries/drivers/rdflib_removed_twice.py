"""Threads remove the same triples as sessions expire: both find them, and one fails.

requires: rdflib==7.6.0
include: rdflib
expect: failed access, stale check
at: rdflib/plugins/stores/memory.py
"""

import threading

from rdflib import Graph, Literal, URIRef

SESSIONS = 200
expires = URIRef("http://example.com/expires")
graph = Graph()
for number in range(SESSIONS):
    graph.add((URIRef(f"http://example.com/session/{number}"), expires, Literal(number)))
failures = []
ready = threading.Barrier(3)


def clean():
    for number in range(SESSIONS):
        if number % 10 == 0:
            ready.wait()
        try:
            graph.remove((URIRef(f"http://example.com/session/{number}"), expires, None))
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=clean) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(graph)} triples are left, {len(failures)} removals failed: {failures[:1]}")
