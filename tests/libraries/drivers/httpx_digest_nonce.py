"""Digest authentication counts its requests without a lock: two requests carry the same count.

requires: httpx==0.28.1
include: httpx._auth
expect: lost update, unguarded update, unrepeatable read
at: httpx/_auth.py:DigestAuth._build_auth_header
"""

import re
import threading

import httpx

counts = []
CHALLENGE = 'Digest realm="here", qop="auth", nonce="abc", opaque="xyz", algorithm=MD5'


def answer(request):
    given = request.headers.get("Authorization")
    if given is None:
        return httpx.Response(401, headers={"www-authenticate": CHALLENGE})
    counts.append(re.search(r"nc=(\w+)", given)[1])
    return httpx.Response(200)


auth = httpx.DigestAuth("user", "password")
client = httpx.Client(transport=httpx.MockTransport(answer), auth=auth)
client.get("http://here/")
counts.clear()


def fetch():
    for _ in range(150):
        client.get("http://here/")


threads = [threading.Thread(target=fetch) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(counts) - len(set(counts))} of {len(counts)} counts were sent twice")
