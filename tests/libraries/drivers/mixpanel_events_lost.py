"""A consumer sends what it has kept, and then keeps what is left of it: an event that came as it sent is lost.

requires: mixpanel==5.4.1
include: mixpanel
expect: stale container, unguarded change, lost update, unguarded update
at: mixpanel/__init__.py:BufferedConsumer._flush_endpoint, mixpanel/__init__.py:BufferedConsumer.send
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from mixpanel import BufferedConsumer, Mixpanel

received = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        received.extend(json.loads(parse_qs(body)["data"][0]))
        answer = b'{"status": 1, "error": null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
consumer = BufferedConsumer(max_size=5, events_url=f"http://127.0.0.1:{server.server_port}/track")
mixpanel = Mixpanel("token", consumer=consumer)
EVENTS = 100
failures = []


def track(place):
    for number in range(EVENTS):
        try:
            mixpanel.track(f"user {place}", "seen", {"number": number})
        except Exception as error:
            failures.append(error)


threads = [threading.Thread(target=track, args=(place,)) for place in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
consumer.flush()
different = {(each["properties"]["distinct_id"], each["properties"]["number"]) for each in received}
print(f"RESULT {len(different)} of {4 * EVENTS} events came, {len(received)} were sent, {len(failures)} failed")
server.shutdown()
