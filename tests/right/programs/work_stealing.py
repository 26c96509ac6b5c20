"""Each worker has a deque with a lock. The owner takes from one end, thieves from the other, all under that lock."""

import collections
import threading


class Deque:
    def __init__(self, items):
        self.items = collections.deque(items)
        self.lock = threading.Lock()

    def take(self):
        with self.lock:
            return self.items.pop() if self.items else None

    def steal(self):
        with self.lock:
            if not self.items:
                return None
            return self.items.popleft()


deques = [Deque(range(1, 121)), Deque([]), Deque(range(121, 131)), Deque([])]
done = [[] for _ in deques]


def work(me):
    while True:
        task = deques[me].take()
        if task is None:
            for victim in deques[me + 1 :] + deques[:me]:
                task = victim.steal()
                if task is not None:
                    break
            else:
                return
        done[me].append(task)


threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(each for own in done for each in own) == list(range(1, 131))
