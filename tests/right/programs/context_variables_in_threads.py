"""Each thread runs in a copy of the context, so a context variable that is set in one is not seen in another."""

import contextlib
import contextvars
import threading

indent = contextvars.ContextVar("indent", default=0)
lines = {}


@contextlib.contextmanager
def deeper():
    token = indent.set(indent.get() + 1)
    try:
        yield indent.get()
    finally:
        indent.reset(token)


def work(name):
    mine = lines[name] = []
    for _ in range(30):
        with deeper() as outer, deeper() as inner:
            mine.append((outer, inner))
    assert indent.get() == 0


threads = [threading.Thread(target=contextvars.copy_context().run, args=(work, name)) for name in "abcd"]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(each == [(1, 2)] * 30 for each in lines.values()) and len(lines) == 4
