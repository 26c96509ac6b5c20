"""A service starts its background thread with the first item. The check and the start are under one lock."""

import queue
import threading


class Mailer:
    def __init__(self):
        self._lock = threading.Lock()
        self._thread = None
        self._queue = queue.Queue()
        self.started = 0
        self.sent = []

    def send(self, text):
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
                self.started += 1
        self._queue.put(text)

    def _run(self):
        while (text := self._queue.get()) is not None:
            self.sent.append(text)

    def close(self):
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()


mailer = Mailer()
ready = threading.Barrier(4)


def work(number):
    ready.wait()
    for each in range(40):
        mailer.send(f"{number}-{each}")


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
mailer.close()
assert mailer.started == 1 and len(set(mailer.sent)) == 160
