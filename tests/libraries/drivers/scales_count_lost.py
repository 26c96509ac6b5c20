"""Threads count in the same statistic of an object: counts are lost.

requires: scales==1.0.9
include: greplin.scales
expect: lost update, unguarded update
at: greplin/scales/__init__.py
"""

# `self.served += 1` calls the descriptor's __get__() and then its __set__(), both of them Python that looks for the
# container of the object: another thread counts in between, and what it stored is overwritten.

import threading

from greplin import scales

REQUESTS = 15000


class Server:
    served = scales.IntStat("served")

    def __init__(self):
        scales.init(self, "/server")

    def serve(self):
        self.served += 1


server = Server()
start = threading.Barrier(3, timeout=20)


def work():
    start.wait()
    for _ in range(REQUESTS):
        server.serve()


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {server.served} of {3 * REQUESTS} requests were counted")
