"""A stack of spans hangs on the thread object. Each thread looks at threading.current_thread() alone."""

import threading


class Traced(threading.Thread):
    def __init__(self, target):
        super().__init__(target=target)
        self.spans = []
        self.depth = 0


class span:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        me = threading.current_thread()
        me.depth += 1
        me.spans.append((me.depth, self.name))

    def __exit__(self, *error):
        threading.current_thread().depth -= 1


def work():
    for number in range(30):
        with span("outer"), span("inner"):
            sum(range(number))


threads = [Traced(work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(thread.spans == [(1, "outer"), (2, "inner")] * 30 and thread.depth == 0 for thread in threads)
