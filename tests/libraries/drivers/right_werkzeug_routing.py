"""A map of URLs that is put in order under its lock by the first who matches.

requires: Werkzeug==3.1.9
include: werkzeug.routing
expect: nothing
"""

import threading

from werkzeug.routing import Map, Rule

urls = Map([Rule(f"/page{number}/<int:item>", endpoint=str(number)) for number in range(20)])
wrong = []


def match():
    adapter = urls.bind("here")
    for number in range(200):
        endpoint, values = adapter.match(f"/page{number % 20}/{number}")
        if endpoint != str(number % 20) or values != {"item": number}:
            wrong.append(number)
        adapter.build(endpoint, values)


threads = [threading.Thread(target=match) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} matches are wrong")
