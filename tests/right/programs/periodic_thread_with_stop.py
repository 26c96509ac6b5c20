"""A daemon thread repeats its work until its stop event is set; stop() also joins it, so its results can be read."""

import threading


class Periodic:
    def __init__(self, interval, function):
        self.interval = interval
        self.function = function
        self.runs = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def _run(self):
        while not self._stop.wait(self.interval):
            self.function()
            self.runs += 1

    def stop(self):
        self._stop.set()
        self._thread.join()


ticks, enough = [], threading.Event()


def tick():
    ticks.append(len(ticks))
    if len(ticks) == 10:
        enough.set()


with_timer = Periodic(0.001, tick)
with_timer.start()
enough.wait()
with_timer.stop()
assert with_timer.runs == len(ticks) >= 10 and ticks == list(range(len(ticks)))
