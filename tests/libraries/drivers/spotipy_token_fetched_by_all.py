"""Threads share the credentials of a client: each finds the cached token expired, and each fetches a new one.

requires: spotipy==2.26.0, requests==2.34.2
include: spotipy
expect: stale check
at: spotipy/oauth2.py:SpotifyClientCredentials.get_access_token, spotipy/cache_handler.py:get_cached_token
"""

import json
import threading
import time

import requests
from requests.adapters import BaseAdapter
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyClientCredentials

ROUNDS = 40
fetched = []


class Server(BaseAdapter):
    def send(self, request, **options):
        time.sleep(0.002)  # the network
        fetched.append(request.url)
        response = requests.Response()
        response.status_code = 200
        response.url = request.url
        response.request = request
        response._content = json.dumps({"access_token": f"token {len(fetched)}", "expires_in": 3600}).encode()
        return response

    def close(self):
        pass


session = requests.Session()
session.mount("https://", Server())
managers = [
    SpotifyClientCredentials(
        "id",
        "secret",
        requests_session=session,
        cache_handler=MemoryCacheHandler({"access_token": "old", "expires_at": 1}),
    )
    for _ in range(ROUNDS)
]


def work():
    for manager in managers:
        manager.get_access_token(as_dict=False)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(fetched)} tokens were fetched, {ROUNDS} were needed")
