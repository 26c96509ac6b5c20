"""One parser is shared. The lock is held from the reset to the result, so no thread sees another's position."""

import threading


class Scanner:
    def __init__(self):
        self.lock = threading.Lock()
        self.text = ""
        self.position = 0
        self.words = []

    def scan(self, text):
        with self.lock:
            self.text = text
            self.position = 0
            self.words = []
            while self.position < len(self.text):
                self._word()
            return self.words

    def _word(self):
        end = self.text.find(" ", self.position)
        if end < 0:
            end = len(self.text)
        self.words.append(self.text[self.position : end])
        self.position = end + 1


scanner = Scanner()
failures = []


def work(number):
    text = " ".join(f"word{number}-{each}" for each in range(number + 3))
    for _ in range(40):
        if scanner.scan(text) != text.split():
            failures.append(text)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failures
