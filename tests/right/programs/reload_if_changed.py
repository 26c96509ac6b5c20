"""A table is loaded anew if the source has a new version. Version and table are put in place as one tuple."""

import threading


class Source:
    def __init__(self):
        self.version = 0

    def load(self):
        version = self.version
        return version, {"rows": version * 10, "version": version}


class Table:
    def __init__(self, source):
        self.source = source
        self.lock = threading.Lock()
        self.loaded = source.load()

    def get(self):
        version, table = self.loaded
        if version != self.source.version:
            with self.lock:
                version, table = self.loaded
                if version != self.source.version:
                    version, table = self.loaded = self.source.load()
        return table


source = Source()
table = Table(source)
wrong = []
ready = threading.Barrier(4)


def change():
    ready.wait()
    for version in range(1, 40):
        source.version = version


def use():
    ready.wait()
    for _ in range(80):
        rows = table.get()
        if rows["rows"] != rows["version"] * 10:
            wrong.append(rows)


threads = [threading.Thread(target=change)] + [threading.Thread(target=use) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not wrong and table.get()["version"] == 39
