"""A warning is given about once: the flag goes one way, and to warn twice does no harm."""

import threading


class Client:
    def __init__(self):
        self.warned = False
        self.warnings = []

    def call(self, name):
        if name.startswith("old_") and not self.warned:
            self.warned = True
            self.warnings.append(f"{name} is deprecated")
        return name.removeprefix("old_")


client = Client()
answers = []
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(60):
        answers.append(client.call("old_get" if each % 3 == number % 3 else "get"))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert set(answers) == {"get"} and 1 <= len(client.warnings) <= 4
