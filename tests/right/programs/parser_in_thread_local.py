"""A module-level function uses a parser with state. It is kept in threading.local, so each thread has its own."""

import threading

_local = threading.local()


class Reader:
    def __init__(self):
        self.line = 0
        self.section = None
        self.values = {}

    def read(self, lines):
        self.line = 0
        self.section = None
        self.values = {}
        for text in lines:
            self.line += 1
            self.feed(text)
        return self.values

    def feed(self, text):
        if text.startswith("["):
            self.section = text[1:-1]
            self.values[self.section] = {}
        else:
            key, value = text.split("=")
            self.values[self.section][key] = int(value)


def read(lines):
    try:
        reader = _local.reader
    except AttributeError:
        reader = _local.reader = Reader()
    return reader.read(lines)


bad = []


def work(number):
    lines = ["[first]", f"a={number}", "b=2", "[second]", f"c={number * 2}"]
    for _ in range(60):
        if read(lines) != {"first": {"a": number, "b": 2}, "second": {"c": number * 2}}:
            bad.append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert bad == []
