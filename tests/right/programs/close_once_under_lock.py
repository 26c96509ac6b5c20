"""close() takes the lock to check and set the flag. Who was first releases the resource, outside of the lock."""

import threading


class Resource:
    def __init__(self, released):
        self._lock = threading.Lock()
        self._closed = False
        self._released = released

    def close(self):
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._released.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


released = []
resources = [Resource(released) for _ in range(60)]
ready = threading.Barrier(4)


def work():
    ready.wait()
    for resource in resources:
        with resource:
            pass


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(released) == 60 == len(set(map(id, released)))
