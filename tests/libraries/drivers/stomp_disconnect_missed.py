"""Two threads wait for the end of a connection: only one of them is told.

requires: stomp.py==9.0.0
include: stomp
expect: lost notification, deadlock
at: stomp/listener.py:WaitingListener.on_disconnected, stomp/listener.py:WaitingListener.wait_on_disconnected
"""

import threading
import time

import stomp
from stomp.listener import WaitingListener

connection = stomp.Connection([("127.0.0.1", 61613)])
listener = WaitingListener(None)
connection.set_listener("end", listener)
threads = [threading.Thread(target=listener.wait_on_disconnected, daemon=True) for _ in range(3)]
for thread in threads:
    thread.start()
time.sleep(0.02)
receiver = threading.Thread(target=connection.transport.notify, args=("disconnected",))
receiver.start()
receiver.join()
for thread in threads:
    thread.join(0.4)
print(f"RESULT {sum(thread.is_alive() for thread in threads)} of 3 threads wait for ever for an end that was")
