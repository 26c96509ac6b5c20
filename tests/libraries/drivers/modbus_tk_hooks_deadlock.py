"""A hook reads the values of a slave while another thread sets them: each waits for the other's lock.

requires: modbus_tk==1.1.5
include: modbus_tk
expect: deadlock
at: modbus_tk/hooks.py, modbus_tk/modbus.py
"""

# Hooks are called with the lock of all hooks held, and a hook that reads from the slave takes the slave's lock.
# set_values() takes the slave's lock, and each item that it sets calls hooks: the same locks the other way round.

import threading

from modbus_tk import defines, hooks, modbus_tcp

ROUNDS = 3000
server = modbus_tcp.TcpServer(port=0, address="127.0.0.1")
slave = server.add_slave(1)
slave.add_block("speeds", defines.HOLDING_REGISTERS, 0, 20)
request = b"\x03\x00\x00\x00\x0a"  # read ten registers
seen = []
answered = []


def before(_):
    seen.append(slave.get_values("speeds", 0, 4))


hooks.install_hook("modbus.Server.before_handle_request", before)


def answer():
    for _ in range(ROUNDS):
        query = modbus_tcp.TcpQuery()
        answered.append(server._handle(query.build_request(request, 1)))


def drive():
    for number in range(ROUNDS):
        slave.set_values("speeds", 0, [number % 1000] * 20)


threads = [threading.Thread(target=work, daemon=True) for work in (answer, drive)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(1.5)
standing = sum(thread.is_alive() for thread in threads)
print(f"RESULT {standing} threads stand still, {len(answered)} of {ROUNDS} requests were answered")
