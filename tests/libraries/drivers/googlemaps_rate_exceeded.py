"""Threads wait for the same earlier look-up to be a second old before any notes its own, and go on at once.

requires: googlemaps==4.10.0, requests==2.34.2
include: googlemaps
expect: stale check
at: googlemaps/client.py:Client._request
"""

import threading
import time

import googlemaps
import requests
from requests.adapters import BaseAdapter


class Maps(BaseAdapter):
    """Stands for the service."""

    def send(self, request, **kwargs):
        sent.append(time.monotonic())
        time.sleep(0.01)
        response = requests.Response()
        response.status_code = 200
        response._content = b'{"status": "OK", "results": []}'
        response.request = request
        response.url = request.url
        return response

    def close(self):
        pass


sent = []
session = requests.Session()
session.mount("https://", Maps())
client = googlemaps.Client(key="AIzaSecret", queries_per_second=4, requests_session=session)
ready = threading.Barrier(8)


def look_up(place):
    ready.wait()
    for number in range(2):
        client.geocode(f"Street {place}, {number}")


threads = [threading.Thread(target=look_up, args=(place,)) for place in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
most = max(sum(start <= other < start + 1 for other in sent) for start in sent)
print(f"RESULT {most} look-ups of {len(sent)} in one second, where 4 are allowed and one thread makes 5")
