"""A setting is changed for a moment and put back, by a context manager that holds a lock meanwhile."""

import contextlib
import threading


class Output:
    def __init__(self):
        self.lock = threading.RLock()
        self.quiet = False
        self.lines = []

    @contextlib.contextmanager
    def silenced(self):
        with self.lock:
            before = self.quiet
            self.quiet = True
            try:
                yield
            finally:
                self.quiet = before

    def say(self, line):
        with self.lock:
            if not self.quiet:
                self.lines.append(line)


output = Output()


def work(number):
    for count in range(40):
        with output.silenced():
            output.say("never")
            with output.silenced():
                output.say("never")
        output.say((number, count))


threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(output.lines) == 3 * 40 and not output.quiet
