"""Three stages with queues between; each stage keeps its own state, and a sentinel ends it."""

import queue
import threading

END = object()


class Stage(threading.Thread):
    def __init__(self, source, sink):
        super().__init__()
        self.source = source
        self.sink = sink
        self.handled = 0

    def run(self):
        for item in iter(self.source.get, END):
            self.handled += 1
            for result in self.process(item):
                self.sink.put(result)
        self.sink.put(END)


class Split(Stage):
    def process(self, item):
        return item.split()


class Number(Stage):
    def process(self, item):
        if item.isdigit():
            yield int(item)


class Total(Stage):
    total = 0

    def process(self, item):
        self.total += item
        yield self.total


queues = [queue.Queue(5) for _ in range(4)]
stages = [Split(queues[0], queues[1]), Number(queues[1], queues[2]), Total(queues[2], queues[3])]
for stage in stages:
    stage.start()
feeder = threading.Thread(target=lambda: [queues[0].put(each) for each in ["1 a 2", "b 3", "4 5 c"] * 10 + [END]])
feeder.start()
totals = list(iter(queues[3].get, END))
for stage in [*stages, feeder]:
    stage.join()
assert totals[-1] == 150 and [stage.handled for stage in stages] == [30, 80, 50]
