"""Maps of URLs that are put in order under their locks by the first who matches.

requires: Werkzeug==3.1.9
include: werkzeug.routing
expect: nothing
"""

import threading

from werkzeug.routing import Map, Rule

ROUNDS = 60
maps = [Map([Rule(f"/page{number}/<int:item>", endpoint=str(number)) for number in range(8)]) for _ in range(ROUNDS)]
wrong = []


def match():
    for number, urls in enumerate(maps):
        adapter = urls.bind("here")
        endpoint, values = adapter.match(f"/page{number % 8}/{number}")
        if endpoint != str(number % 8) or values != {"item": number}:
            wrong.append(number)
        adapter.build(endpoint, values)


threads = [threading.Thread(target=match) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(wrong)} matches are wrong")
