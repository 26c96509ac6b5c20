"""A frozen dataclass is replaced as a whole by one reloading thread. Workers take it once for each request."""

import dataclasses
import threading


@dataclasses.dataclass(frozen=True)
class Config:
    version: int
    url: str
    retries: int = 3


class Service:
    def __init__(self):
        self.config = Config(0, "http://host/0")

    def reload(self, version):
        self.config = dataclasses.replace(self.config, version=version, url=f"http://host/{version}")

    def handle(self):
        config = self.config
        return config.url.endswith(f"/{config.version}") and config.retries == 3


service = Service()
answers = []
ready = threading.Barrier(4)


def reloader():
    ready.wait()
    for version in range(1, 60):
        service.reload(version)


def worker():
    ready.wait()
    for _ in range(80):
        answers.append(service.handle())


threads = [threading.Thread(target=reloader)] + [threading.Thread(target=worker) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(answers) and len(answers) == 240 and service.config.version == 59
