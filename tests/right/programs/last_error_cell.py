"""Workers note their last error in one attribute, each blindly over the other's. It is read after the join."""

import threading


class Importer:
    def __init__(self):
        self.last_error = None
        self.failed = []

    def load(self, text):
        try:
            return int(text)
        except ValueError as error:
            self.last_error = error
            self.failed.append(text)
            return 0


importer = Importer()
totals = []


def work(texts):
    totals.append(sum(importer.load(text) for text in texts))


texts = [["1", "two", "3"] * 20, ["4", "five"] * 20, ["6", "7", "8"] * 20]
threads = [threading.Thread(target=work, args=(each,)) for each in texts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(totals) == [80, 80, 420]
assert len(importer.failed) == 40 and "invalid literal" in str(importer.last_error)
