"""A future written by hand: the result is set once under a condition, and waited for in a loop."""

import threading

PENDING = object()


class Promise:
    def __init__(self):
        self._condition = threading.Condition()
        self._result = PENDING
        self._callbacks = []

    def resolve(self, result):
        with self._condition:
            if self._result is not PENDING:
                return False
            self._result = result
            callbacks, self._callbacks = self._callbacks, []
            self._condition.notify_all()
        for callback in callbacks:
            callback(result)
        return True

    def then(self, callback):
        with self._condition:
            if self._result is PENDING:
                self._callbacks.append(callback)
                return
        callback(self._result)

    def get(self):
        with self._condition:
            while self._result is PENDING:
                self._condition.wait()
            return self._result


promises = [Promise() for _ in range(30)]
heard, winners, values = [], [], []
ready = threading.Barrier(4)


def setter(name):
    ready.wait()
    for number, promise in enumerate(promises):
        if promise.resolve((number, name)):
            winners.append(number)


def getter():
    ready.wait()
    for promise in promises:
        promise.then(heard.append)
        values.append(promise.get()[0])


threads = [threading.Thread(target=setter, args=(name,)) for name in "ab"]
threads += [threading.Thread(target=getter) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(winners) == list(range(30)) and len(heard) == 60 and sorted(values) == sorted([*range(30)] * 2)
