"""Threads count and push with the same client of a server that takes its lock for each command.

requires: fakeredis==2.41.0
include: fakeredis
expect: nothing
"""

import threading

import fakeredis

client = fakeredis.FakeRedis()
client.set("visits", 0)
failures = []


def work():
    for number in range(100):
        try:
            client.incr("visits")
            client.rpush("pages", number)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {int(client.get('visits'))} of 300 visits, {client.llen('pages')} of 300 pages, {len(failures)} failed")
