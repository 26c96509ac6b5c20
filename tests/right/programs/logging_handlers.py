"""A logging handler keeps records in a list; logging calls emit() under the handler's lock."""

import logging
import threading


class Memory(logging.Handler):
    def __init__(self, capacity):
        super().__init__()
        self.capacity = capacity
        self.buffer = []
        self.flushed = []

    def emit(self, record):
        self.buffer.append(record.getMessage())
        if len(self.buffer) >= self.capacity:
            self.flush()

    def flush(self):
        with self.lock:
            self.flushed.extend(self.buffer)
            self.buffer = []


handler = Memory(7)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.propagate = False
logger.addHandler(handler)


def work(number):
    for each in range(40):
        logger.info("worker %s step %s", number, each)
        logger.debug("not recorded")


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
handler.flush()
assert len(set(handler.flushed)) == 160 and handler.buffer == []
