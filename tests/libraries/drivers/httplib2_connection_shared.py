"""Threads send their first request with the same client: several connections are made, of which one is kept.

requires: httplib2==0.32.1
include: httplib2
expect: stale check, unguarded check
at: httplib2/__init__.py
"""

import http.server
import threading

import httplib2


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *arguments):
        pass


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
CLIENTS = 8
clients = [httplib2.Http(timeout=0.1) for _ in range(CLIENTS)]
failures = []
mixed = []
ready = threading.Barrier(3)


def work(place):
    for client in clients:
        ready.wait()
        try:
            _, content = client.request(f"{address}/{place}")
            if content != f"/{place}".encode():
                mixed.append(content)
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.shutdown()
print(f"RESULT {len(failures)} of {3 * CLIENTS} requests failed, {len(mixed)} got the answer of another")
