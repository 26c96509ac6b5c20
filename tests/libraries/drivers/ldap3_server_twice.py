"""Connections take the next server of a pool in turn: what one chose is overwritten before it reads it back.

requires: ldap3==2.9.1
include: ldap3
expect: overwritten before read, unguarded own write, lost update, unguarded update
at: ldap3/core/pooling.py:ServerPoolState.get_server
"""

import collections
import threading

from ldap3 import ROUND_ROBIN, Connection, Server, ServerPool

servers = [Server(f"ldap{number}.example.org") for number in range(7)]
pool = ServerPool(servers, ROUND_ROBIN, active=False)
connection = Connection(pool)
ROUNDS = 700
taken = collections.Counter()
chosen = [[] for _ in range(4)]
failures = []


def choose(place):
    for _ in range(ROUNDS):
        try:
            chosen[place].append(pool.get_server(connection).host)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=choose, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
taken.update(host for hosts in chosen for host in hosts)
print(f"RESULT servers were chosen {sorted(taken.values())} times, {4 * ROUNDS // 7} is right, {len(failures)} failed")
