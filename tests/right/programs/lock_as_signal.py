"""A lock is taken by one thread and released by another, as a signal that the result is there."""

import threading


class Call:
    def __init__(self, function, argument):
        self.function = function
        self.argument = argument
        self.result = None
        self.done = threading.Lock()
        self.done.acquire()

    def run(self):
        self.result = self.function(self.argument)
        self.done.release()

    def wait(self):
        with self.done:
            return self.result


calls = [Call(str, number) for number in range(60)]
results = []


def runner():
    for call in calls:
        call.run()


def waiter():
    for call in calls:
        results.append(call.wait())


threads = [threading.Thread(target=waiter), threading.Thread(target=runner)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [str(number) for number in range(60)]
