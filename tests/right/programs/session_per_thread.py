"""A client keeps one session a thread in threading.local, and its last response in the session."""

import threading


class Session:
    opened = []

    def __init__(self):
        self.cookies = {}
        self.response = None
        self.opened.append(self)

    def get(self, path):
        self.response = f"200 {path}"
        self.cookies["last"] = path
        return self.response


class Client:
    def __init__(self):
        self._local = threading.local()

    @property
    def session(self):
        if not hasattr(self._local, "session"):
            self._local.session = Session()
        return self._local.session

    def fetch(self, path):
        self.session.get(path)
        if self.session.cookies["last"] != path:
            raise RuntimeError(path)
        return self.session.response


client = Client()
responses = []


def work(number):
    for each in range(40):
        path = f"/{number}/{each}"
        responses.append(client.fetch(path) == f"200 {path}")


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(responses) == 160 and all(responses) and len(Session.opened) == 4
