"""Threads search over the same connection, and then look at its entries: they see those of another's search.

requires: ldap3==2.9.1
include: ldap3
expect: overwritten before read, unguarded own write, stale check, unguarded check, read skew
at: ldap3/core/connection.py, ldap3_response_of_another.py
"""

# search() leaves its result in attributes of the connection, which the caller reads afterwards. With the default
# strategy a second search that ends in between has replaced them (the strategy SAFE_SYNC returns them instead).

import threading
import time

from ldap3 import MOCK_SYNC, Connection, Server

SEARCHES = 60
connection = Connection(Server("directory.test"), user="cn=admin,o=test", password="secret", client_strategy=MOCK_SYNC)
connection.strategy.add_entry("cn=admin,o=test", {"userPassword": "secret", "sn": "admin", "objectClass": "person"})
for number in range(8):
    connection.strategy.add_entry(f"cn=user{number},o=test", {"sn": f"name{number}", "objectClass": "person"})
connection.bind()
wrong = []
failures = []
start = threading.Barrier(3, timeout=20)


def work(place):
    start.wait()
    for _ in range(SEARCHES):
        try:
            connection.search("o=test", f"(cn=user{place})", attributes=["sn"])
            time.sleep(0.0005)
            names = [entry.sn.value for entry in connection.entries]
            if names != [f"name{place}"]:
                wrong.append(names)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} of {3 * SEARCHES} searches gave the entries of another, {len(failures)} failed")
