"""A property computes its value on first use and keeps it. To compute it twice gives the same text."""

import threading


class Document:
    def __init__(self, words):
        self.words = tuple(words)
        self._title = None

    @property
    def title(self):
        if self._title is None:
            self._title = " ".join(word.capitalize() for word in self.words)
        return self._title


documents = [Document(["a", "tale", f"number{number}"]) for number in range(40)]
titles = []
ready = threading.Barrier(4)


def work():
    ready.wait()
    for document in documents:
        titles.append(document.title)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(titles) == 160 and len(set(titles)) == 40 and titles[0].startswith("A Tale")
