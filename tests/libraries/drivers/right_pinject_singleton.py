"""Threads ask an object graph for the same singleton, which is made under a lock.

requires: pinject==0.14.1, decorator==5.3.1, six==1.17.0
include: pinject
expect: nothing
"""

import threading
import time

import pinject

ROUNDS = 40
made = []


class Connections:
    def __init__(self):
        time.sleep(0.001)  # connects
        made.append(self)


class Service:
    def __init__(self, connections):
        self.connections = connections


graphs = [pinject.new_object_graph(modules=None, classes=[Connections, Service]) for _ in range(ROUNDS)]
given = [[] for _ in range(ROUNDS)]


def work():
    for graph, mine in zip(graphs, given):
        mine.append(graph.provide(Service).connections)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
several = sum(len({id(connections) for connections in mine}) != 1 for mine in given)
print(f"RESULT nothing wrong: {len(made)} were made for {ROUNDS} graphs, {several} graphs gave several")
