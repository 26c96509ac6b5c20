"""Threads send requests with the same pool: without the GIL some are not counted.

requires: urllib3==2.8.0
include: urllib3
expect: unguarded update:gil-only
at: urllib3/connectionpool.py
"""

import http.server
import threading

import urllib3


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
REQUESTS = 60
pool = urllib3.HTTPConnectionPool("127.0.0.1", server.server_port, maxsize=3, block=True)
failures = []


def work():
    for _ in range(REQUESTS):
        try:
            pool.request("GET", "/")
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pool.close()
server.shutdown()
print(f"RESULT {pool.num_requests} of {3 * REQUESTS} requests were counted, {len(failures)} failed")
