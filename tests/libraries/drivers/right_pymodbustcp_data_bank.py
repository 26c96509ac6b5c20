"""A data bank is written by one thread and read by others: each call gives the words of one write.

requires: pyModbusTCP==0.3.1
include: pyModbusTCP
expect: nothing
"""

import threading

from pyModbusTCP.server import DataBank

WRITES = 1500
bank = DataBank(h_regs_size=100)
torn = []


def write():
    for number in range(WRITES):
        bank.set_holding_registers(0, [number] * 20)


def read():
    for _ in range(WRITES):
        words = bank.get_holding_registers(0, 20)
        if len(set(words)) != 1:
            torn.append(words)


threads = [threading.Thread(target=work) for work in (write, read, read)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(
    f"RESULT {len(torn)} of {2 * WRITES} readings are of two writes; the last word is {bank.get_holding_registers(0)}"
)
