"""Threads make their first requests with the same session: each of them loads the credentials.

requires: botocore==1.44.8
include: botocore.session, botocore.credentials
expect: stale check, unguarded check, overwritten before read, unguarded own write
at: botocore/session.py:Session.get_credentials
"""

# get_credentials() looks whether there are any, loads them from the first provider that has some, and keeps them.
# Loading takes long (a metadata service, a command), so all who come meanwhile load too, and some are throttled.

import threading
import time

import botocore.session
from botocore.credentials import CredentialProvider, CredentialResolver, Credentials

SESSIONS = 25
loaded = []


class Vault(CredentialProvider):
    METHOD = "vault"

    def load(self):
        time.sleep(0.002)
        loaded.append(threading.get_ident())
        return Credentials("a key", "a secret", method=self.METHOD)


sessions = [botocore.session.Session() for _ in range(SESSIONS)]
for session in sessions:
    session.register_component("credential_provider", CredentialResolver([Vault()]))
start = threading.Barrier(4)
credentials = [set() for _ in range(SESSIONS)]


def work():
    for number, session in enumerate(sessions):
        start.wait()
        credentials[number].add(session.get_credentials())


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(f"RESULT credentials of {SESSIONS} sessions were loaded {len(loaded)} times")
