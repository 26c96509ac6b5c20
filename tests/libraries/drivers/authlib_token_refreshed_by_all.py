"""Threads find the token of their session expired: all refresh it, with a refresh token that is good for once.

requires: Authlib==1.9.10, requests==2.34.2
include: authlib
expect: stale check, unguarded check
at: authlib/oauth2/client.py
"""

# Each request looks if the token is expired, and asks for a new one if it is. The server takes a refresh token once, so
# that the second thread that asks with the same one is refused, and with it its request.

import io
import json
import threading
import time

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from requests.adapters import BaseAdapter
from requests.models import Response

ROUNDS = 25
used = set()
failures = []
start = threading.Barrier(4)


class Server(BaseAdapter):
    def send(self, request, **options):
        answer, status = {"ok": True}, 200
        if request.url.endswith("/token"):
            time.sleep(0.002)  # the way there
            refresh = request.body.split("refresh_token=")[-1]
            if refresh in used:
                answer, status = {"error": "invalid_grant"}, 400
            else:
                used.add(refresh)
                answer = {
                    "access_token": "new",
                    "refresh_token": refresh + "1",
                    "expires_in": 3600,
                    "token_type": "Bearer",
                }
        response = Response()
        response.status_code, response.request, response.url = status, request, request.url
        response.raw = io.BytesIO(json.dumps(answer).encode())
        return response

    def close(self):
        pass


def session(number):
    token = {"access_token": "old", "refresh_token": f"r{number}x", "expires_at": 1, "token_type": "Bearer"}
    made = OAuth2Session("client", "secret", token_endpoint="https://server/token", token=token)
    made.mount("https://", Server())
    return made


sessions = [session(number) for number in range(ROUNDS)]


def work():
    for each in sessions:
        start.wait()
        try:
            each.get("https://server/data")
        except OAuthError as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(failures)} of {4 * ROUNDS} requests failed: {failures[:1]}")
