"""Threads send their first request with the same client: each fetches a token.

requires: azure-core==1.41.0
include: azure
expect: stale check, unguarded check
at: azure/core/pipeline/policies/_authentication.py
"""

import threading
import time

from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.core.rest import HttpRequest

CLIENTS = 80


class Credential:
    def __init__(self):
        self.fetched = []

    def get_token(self, *scopes, **options):
        time.sleep(0.0005)
        self.fetched.append(scopes)
        return AccessToken("token", int(time.time()) + 3600)


credentials = [Credential() for _ in range(CLIENTS)]
policies = [BearerTokenCredentialPolicy(credential, "read") for credential in credentials]
failures = []


def work():
    for policy in policies:
        request = PipelineRequest(HttpRequest("GET", "https://example.com"), PipelineContext(None))
        try:
            policy.on_request(request)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
fetched = sum(len(credential.fetched) for credential in credentials)
print(f"RESULT {CLIENTS} clients fetched {fetched} tokens, {len(failures)} requests failed")
