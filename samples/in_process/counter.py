# Records itself; 1 update of counter[0] is lost, each time.
from threading import Event, Thread

import opcodetrace

counter = [0]
has_read, has_added = Event(), Event()


def slow():
    count = counter[0]
    has_read.set()
    has_added.wait()
    counter[0] = count + 1


def fast():
    has_read.wait()
    counter[0] += 1
    has_added.set()


with opcodetrace.record() as recording:
    threads = [Thread(target=slow), Thread(target=fast)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

print(recording.lost, recording.findings[0].label)
print(recording.report())
