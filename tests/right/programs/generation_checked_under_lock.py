"""Work begun for an old generation is dropped: under the lock, generations are compared before a result is stored."""

import threading


class Search:
    def __init__(self):
        self.lock = threading.Lock()
        self.generation = 0
        self.query = ""
        self.results = []

    def start(self, query):
        with self.lock:
            self.generation += 1
            self.query = query
            self.results = []
            return self.generation

    def found(self, generation, result):
        with self.lock:
            if generation != self.generation:
                return False
            self.results.append((self.query, result))
            return True


search = Search()
dropped = []


def work(name):
    for turn in range(20):
        query = f"{name}{turn}"
        generation = search.start(query)
        for number in range(4):
            if not search.found(generation, (query, number)):
                dropped.append(query)


threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert search.generation == 60 and all(query == result[0] for query, result in search.results)
