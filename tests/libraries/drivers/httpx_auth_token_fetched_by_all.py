"""Threads need a token that is missing: each waits for the lock, does not look again, and asks for a token of its own.

requires: httpx-auth==0.23.1, httpx==0.28.1
include: httpx_auth
expect: stale check
at: httpx_auth/_oauth2/tokens.py:TokenMemoryCache.get_token, httpx_auth/_oauth2/tokens.py:TokenMemoryCache._add_token
"""

import threading
import time

import httpx
from httpx_auth import OAuth2ClientCredentials

fetched = []


def serve_token(request):
    time.sleep(0.002)
    fetched.append(request)
    return httpx.Response(200, json={"access_token": f"token{len(fetched)}", "expires_in": 3600})


auth = OAuth2ClientCredentials(
    "http://auth.example/token",
    client_id="me",
    client_secret="secret",
    client=httpx.Client(transport=httpx.MockTransport(serve_token)),
)
api = httpx.Client(auth=auth, transport=httpx.MockTransport(lambda request: httpx.Response(200)))
ready = threading.Barrier(6)


def call():
    ready.wait()
    api.get("http://api.example/things")


threads = [threading.Thread(target=call) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(fetched)} tokens were fetched, not 1")
