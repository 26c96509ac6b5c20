"""Requests come as the server starts: each finds no features in the store, and fetches them.

requires: growthbook==4.0.0, urllib3==2.8.0
include: growthbook
expect: stale check
at: growthbook/growthbook.py:FeatureRepository.load_features, growthbook/growthbook.py:InMemoryFeatureCache.get
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from growthbook import GrowthBook

fetched = []


class Features(BaseHTTPRequestHandler):
    def do_GET(self):
        fetched.append(self.path)
        time.sleep(0.005)
        body = json.dumps({"features": {"dark": {"defaultValue": True}}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Features)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"http://127.0.0.1:{server.server_port}"
ready = threading.Barrier(5)
dark = []


def handle(user):
    book = GrowthBook(api_host=host, client_key="sdk-abc", attributes={"id": str(user)})
    ready.wait()
    book.load_features()
    dark.append(book.is_on("dark"))
    book.destroy()


threads = [threading.Thread(target=handle, args=(user,)) for user in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.shutdown()
print(f"RESULT the features were fetched {len(fetched)} times, not once; {sum(dark)} of 5 saw them")
