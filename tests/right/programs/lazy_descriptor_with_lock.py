"""A lazy attribute: a descriptor computes it under a lock, looks again there, and stores it in the instance's dict."""

import threading


class lazy:
    def __init__(self, function):
        self.function = function
        self.lock = threading.RLock()

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner):
        if instance is None:
            return self
        with self.lock:
            try:
                return instance.__dict__[self.name]
            except KeyError:
                value = instance.__dict__[self.name] = self.function(instance)
                return value


class Page:
    built = []

    def __init__(self, number):
        self.number = number

    @lazy
    def visitors(self):
        self.built.append(self.number)
        return []


pages = [Page(number) for number in range(30)]
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for page in pages:
        page.visitors.append(number)


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(Page.built) == list(range(30))
assert all(sorted(page.visitors) == [0, 1, 2, 3] for page in pages)
