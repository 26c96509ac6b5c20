"""A handler keeps its request in attributes, as those of http.server do.

The server makes a new one for each request.
"""

import queue
import threading


class Handler:
    def __init__(self, server, request):
        self.server = server
        self.request = request
        self.status = None
        self.body = ""
        self.handle()

    def handle(self):
        self.method, self.path = self.request.split()
        if self.method == "GET":
            self.do_get()
        else:
            self.status = 405
        self.server.log(self.status, self.path)

    def do_get(self):
        self.body = f"hello {self.path}"
        self.status = 200 if self.path.startswith("/") else 404


class Server:
    def __init__(self):
        self.requests = queue.Queue()
        self.logged = []

    def log(self, status, path):
        self.logged.append((status, path))

    def serve(self):
        while True:
            request = self.requests.get()
            if request is None:
                break
            Handler(self, request)


server = Server()
threads = [threading.Thread(target=server.serve) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(120):
    server.requests.put(f"{'GET' if number % 3 else 'POST'} /{number}")
for _ in threads:
    server.requests.put(None)
for thread in threads:
    thread.join()
assert sorted(server.logged) == sorted((200 if n % 3 else 405, f"/{n}") for n in range(120))
