"""Threads copy a shared prototype and change their copy.

The prototype is not changed after the threads have started.
"""

import copy
import threading


class Report:
    def __init__(self, title):
        self.title = title
        self.sections = ["summary"]
        self.pages = 0

    def add(self, section):
        self.sections.append(section)
        self.pages += 1

    def finish(self):
        return f"{self.title}: {len(self.sections)} sections, {self.pages} pages"


prototype = Report("untitled")
finished = []


def work(number):
    for each in range(20):
        report = copy.deepcopy(prototype)
        report.title = f"report {number}-{each}"
        for section in range(number + 1):
            report.add(section)
        finished.append((report.title, report.finish()))


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert prototype.finish() == "untitled: 1 sections, 0 pages"
assert all(text.startswith(title + ":") for title, text in finished) and len(finished) == 80
