"""ThreadPoolExecutor.map: each call has its own state, and the main thread merges the results."""

from concurrent.futures import ThreadPoolExecutor


class Histogram:
    def __init__(self):
        self.counts = {}
        self.longest = 0

    def feed(self, words):
        for word in words:
            self.counts[word] = self.counts.get(word, 0) + 1
            self.longest = max(self.longest, len(word))
        return self

    def merge(self, other):
        for word, count in other.counts.items():
            self.counts[word] = self.counts.get(word, 0) + count
        self.longest = max(self.longest, other.longest)


def count(words):
    return Histogram().feed(words)


chunks = [["a", "bb", "a"] * 10, ["bb", "ccc"] * 10, ["a"] * 5, ["dddd", "bb"]] * 5
total = Histogram()
with ThreadPoolExecutor(4) as pool:
    for part in pool.map(count, chunks):
        total.merge(part)
assert total.counts == {"a": 125, "bb": 105, "ccc": 50, "dddd": 5} and total.longest == 4
