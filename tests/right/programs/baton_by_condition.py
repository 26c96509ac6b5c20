"""An object goes from thread to thread: under a condition its next owner is named, and only the owner changes it."""

import threading


class Baton:
    def __init__(self):
        self.laps = 0
        self.path = []
        self.runner = None

    def carry(self, runner):
        self.runner = runner
        self.laps += 1
        self.path.append(self.runner)


class Race:
    def __init__(self, runners):
        self.condition = threading.Condition()
        self.baton = Baton()
        self.owner = 0
        self.runners = runners

    def run(self, me, laps):
        for _ in range(laps):
            with self.condition:
                while self.owner != me:
                    self.condition.wait()
            self.baton.carry(me)
            with self.condition:
                self.owner = (me + 1) % self.runners
                self.condition.notify_all()


race = Race(3)
threads = [threading.Thread(target=race.run, args=(me, 25)) for me in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert race.baton.laps == 75 and race.baton.path == [0, 1, 2] * 25
