# Finds: 20000 - item lost updates of cells[0].
# Finds: 20000 - key lost updates of table['k'].
# Finds: 20000 - attribute lost updates of account.balance.
# Finds: 20000 - variable lost updates of global hits.
# With the GIL it prints item=20000 key=20000 attribute=20000 variable=20000.
#
# Nothing here takes a lock, yet a Python with the GIL loses nothing: between the read and the write of these `+=` there
# is no instruction at which the interpreter switches threads. A free-threaded Python loses some of each.

from threading import Thread


class Account:
    balance = 0


cells, table, account, hits = [0], {"k": 0}, Account(), 0


def work():
    global hits
    for _ in range(10_000):
        cells[0] += 1
        table["k"] += 1
        account.balance += 1
        hits += 1


threads = [Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"item={cells[0]} key={table['k']} attribute={account.balance} variable={hits}")
