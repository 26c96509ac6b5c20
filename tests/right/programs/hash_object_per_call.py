"""A checksum object is updated step by step.

It is an attribute of a task which one thread runs, handed over by a queue.
"""

import hashlib
import queue
import threading


class Task:
    def __init__(self, name, chunks):
        self.name = name
        self.chunks = chunks
        self.digest = None
        self.size = 0

    def run(self):
        self.hash = hashlib.sha256()
        for chunk in self.chunks:
            self.hash.update(chunk)
            self.size += len(chunk)
        self.digest = self.hash.hexdigest()


todo, done = queue.SimpleQueue(), queue.SimpleQueue()


def work():
    while (task := todo.get()) is not None:
        task.run()
        done.put(task)


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for number in range(50):
    todo.put(Task(f"f{number}", [b"x" * number, b"y", b"z" * 10]))
results = [done.get() for _ in range(50)]
for _ in threads:
    todo.put(None)
for thread in threads:
    thread.join()
assert all(task.digest == hashlib.sha256(b"".join(task.chunks)).hexdigest() for task in results)
assert sum(task.size for task in results) == sum(number + 11 for number in range(50))
