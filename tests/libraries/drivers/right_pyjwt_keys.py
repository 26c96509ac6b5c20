"""The keys of an issuer are fetched once: a client asks for them under its lock.

requires: PyJWT==2.15.1
include: jwt
expect: nothing
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jwt import PyJWKClient

fetched = []
KEYS = json.dumps({"keys": [{"kty": "oct", "kid": "one", "alg": "HS256", "use": "sig", "k": "c2VjcmV0"}]}).encode()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        fetched.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(KEYS)))
        self.end_headers()
        self.wfile.write(KEYS)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
ISSUERS = 30
clients = [PyJWKClient(f"http://127.0.0.1:{server.server_port}/{number}") for number in range(ISSUERS)]
start = threading.Barrier(4)
keys = []
failures = []


def ask():
    for client in clients:
        start.wait()
        try:
            keys.append(client.get_signing_key("one").key_id)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.shutdown()
print(f"RESULT keys of {ISSUERS} issuers were fetched {len(fetched)} times, {len(keys)} found, {len(failures)} failed")
