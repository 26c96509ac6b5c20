"""Timers are started and cancelled; one that is let run says so by an event, and what it wrote is read after that."""

import threading


class Alarm:
    def __init__(self, delay):
        self.rung = False
        self.done = threading.Event()
        self.timer = threading.Timer(delay, self.ring)

    def ring(self):
        self.rung = True
        self.done.set()

    def start(self):
        self.timer.start()
        return self

    def cancel(self):
        self.timer.cancel()
        self.timer.join()


early = [Alarm(0.005).start() for _ in range(3)]
late = [Alarm(3600).start() for _ in range(3)]
for alarm in early:
    alarm.done.wait()
for alarm in late:
    alarm.cancel()
for alarm in early:
    alarm.timer.join()
assert all(alarm.rung for alarm in early) and not any(alarm.rung for alarm in late)
