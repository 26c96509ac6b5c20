"""Threads add tokens to a cache that takes its lock for each step, and search it.

requires: msal==1.39.0
include: msal
expect: nothing
"""

import threading

from msal import TokenCache

TOKENS = 60
cache = TokenCache()
found = []
failures = []


def work(place):
    for number in range(TOKENS):
        try:
            cache.add(
                {
                    "client_id": f"client{place}",
                    "scope": [f"scope{number}"],
                    "token_endpoint": "https://login.example.com/tenant/oauth2/token",
                    "response": {"access_token": f"token-{place}-{number}", "expires_in": 3600, "token_type": "Bearer"},
                }
            )
            tokens = cache.search(
                TokenCache.CredentialType.ACCESS_TOKEN, target=[f"scope{number}"], query={"client_id": f"client{place}"}
            )
            found.extend(token["secret"] for token in tokens)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT {len(set(found))} of {3 * TOKENS} tokens were found, {len(failures)} failed")
