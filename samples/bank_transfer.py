# Finds: alice - 70 lost updates of balances['alice'].
# Finds: 130 - bob lost updates of balances['bob'].
#
# Three threads move money from alice to bob, ten times one coin each. The bank's total should still be 200. A lost
# withdrawal makes money out of nothing, a lost deposit destroys some.

from threading import Thread
from time import sleep

balances = {"alice": 100, "bob": 100}


def transfer(source, target, amount):
    balance = balances[source]
    sleep(0)  # ask the bank's server whether there is enough
    balances[source] = balance - amount
    balance = balances[target]
    sleep(0)
    balances[target] = balance + amount


def customer():
    for _ in range(10):
        transfer("alice", "bob", 1)


threads = [Thread(target=customer) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"alice={balances['alice']} bob={balances['bob']} total={sum(balances.values())}")
