"""One handler serves all threads. dispatch() stores the request, handles it and reads it back, all under its lock."""

import threading


class Handler:
    def __init__(self):
        self._lock = threading.RLock()
        self.request = None
        self.response = None

    def dispatch(self, request):
        with self._lock:
            self.request = request
            self.handle()
            return self.response

    def handle(self):
        with self._lock:
            self.response = f"{self.request['path']}?{self.request['query']}"


handler = Handler()
wrong = []
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(60):
        if handler.dispatch({"path": f"/{number}", "query": each}) != f"/{number}?{each}":
            wrong.append((number, each))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong
