"""Each round begins with nothing done: a watcher asks which jobs are, and is ready for those that are not yet."""

import threading

JOBS = ("wash", "rinse", "spin")
results = {}
shown = []
done = threading.Event()


def rounds():
    for number in range(40):
        results.clear()
        for job in JOBS:
            results[job] = number
    done.set()


def watch():
    while not done.is_set():
        lines = []
        for job in JOBS:
            try:
                lines.append(f"{job}: {results[job]}")
            except KeyError:
                lines.append(f"{job}: not yet")
        if "spin" in results:
            lines.append("nearly over")
        shown.append(lines)


threads = [threading.Thread(target=each) for each in (rounds, watch, watch)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == dict.fromkeys(JOBS, 39)
