"""One client for all threads, as its documentation allows.

requires: httpx==0.28.1
include: httpx
expect: nothing
"""

import threading

import httpx


def answer(request):
    return httpx.Response(200, json={"path": request.url.path}, headers={"set-cookie": "seen=yes"})


client = httpx.Client(transport=httpx.MockTransport(answer))
wrong = []


def fetch(place):
    for number in range(50):
        if client.get(f"http://here/{place}/{number}").json() != {"path": f"/{place}/{number}"}:
            wrong.append(number)


threads = [threading.Thread(target=fetch, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
client.close()
print(f"RESULT {len(wrong)} of 200 answers are wrong")
