"""A WeakValueDictionary of shared objects: lookup and creation are under one lock, and the caller holds the object."""

import threading
import weakref


class Topic:
    def __init__(self, name):
        self.name = name
        self.lock = threading.Lock()
        self.messages = 0

    def publish(self):
        with self.lock:
            self.messages += 1


class Topics:
    def __init__(self):
        self._lock = threading.Lock()
        self._topics = weakref.WeakValueDictionary()

    def get(self, name):
        with self._lock:
            topic = self._topics.get(name)
            if topic is None:
                topic = self._topics[name] = Topic(name)
            return topic


topics = Topics()
kept = [topics.get(f"t{number}") for number in range(3)]


def work():
    for number in range(60):
        topics.get(f"t{number % 3}").publish()
        topics.get(f"short{number % 2}").publish()


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert [topic.messages for topic in kept] == [80, 80, 80]
