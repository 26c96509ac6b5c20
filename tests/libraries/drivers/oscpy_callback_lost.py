"""Threads bind callbacks to the same new address: one of them is lost.

requires: oscpy==0.6.0
include: oscpy.server
expect: stale check, unguarded check, lost update, unguarded update, stale container, unguarded change
at: oscpy/server.py
"""

# bind() gets the list of callbacks of the address, or a new one, adds its own, and stores the list: two threads that
# find none each store a list of their own.

import threading

from oscpy.server import OSCThreadServer

ROUNDS = 20000
server = OSCThreadServer(advanced_matching=False)
server.listen("127.0.0.1", 0, default=True)
start = threading.Barrier(3, timeout=20)


def work():
    def heard(*values):
        pass

    for number in range(ROUNDS):
        if number % 100 == 0:
            start.wait()
        server.bind(b"/knob/%d" % number, heard)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
bound = sum(len(server.addresses[server.default_socket, b"/knob/%d" % number]) for number in range(ROUNDS))
server.stop_all()
server.terminate_server()
print(f"RESULT {3 * ROUNDS - bound} of {3 * ROUNDS} callbacks were lost")
