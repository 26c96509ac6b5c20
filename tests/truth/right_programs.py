"""Programs that are right: whatever their threads do, nothing is lost. Each is the body of a script."""

OWNER = """
class Owned:
    def __init__(self):
        self.lock, self.owner, self.depth = threading.Lock(), None, 0
    def __enter__(self):
        me = get_ident()
        if self.owner == me:
            self.depth += 1
            return self
        self.lock.acquire()
        self.owner = me
        self.depth = 1
        return self
    def __exit__(self, *raised):
        self.depth -= 1
        if self.depth == 0:
            self.owner = None
            self.lock.release()
    def run(self, work):
        if self.owner == get_ident():
            return work()
        with self:
            return work()
owned, total = Owned(), [0]
def add():
    total[0] = sum((total[0], 1))
def work():
    for _ in range(TIMES):
        with owned:
            owned.run(add)
run(work)
assert total[0] == THREADS * TIMES
"""

HEARTBEAT = """
class Server:
    last_seen, state, greeting = 0.0, "idle", ""
    def touch(self):
        self.last_seen = time.time()
    def set_state(self, state, reason=None):
        self.state = state
    def greet(self, name):
        self.greeting = "hello " + name
server, idle = Server(), []
def request():
    for number in range(TIMES):
        if time.time() - server.last_seen > 5:
            idle.append(1)
        server.touch()
        server.last_seen = time.monotonic()
        if server.state == "idle":
            server.set_state("busy", reason=number)
        else:
            server.set_state("idle")
        len(server.greeting)
        server.greet(threading.current_thread().name)
run(request)
"""

HANDED_OVER = """
class Switchboard:
    def __init__(self): self.target, self.count = "primary", 0
    def point_to(self, target): self.target = target
    def is_primary(self): return self.target == "primary"
    def add(self, count): self.count = self.count + count
board = Switchboard()
for _ in range(20):
    assert board.is_primary()
    before = board.count
    thread = threading.Thread(target=lambda: (board.point_to("replica"), board.add(1)))
    thread.start(); thread.join()
    assert not board.is_primary()
    board.point_to("primary")
    board.add(before - before)
assert board.count == 20
"""

# What gives the second thread its turn was there before it asked: it need not wait.
GIVEN = """
import os
class Box: pass
def hand_over(give, take):
    box, (reader, writer) = Box(), os.pipe()
    box.status, box.count = "idle", 0
    def first():
        box.status = "busy"
        box.count += 1
        give()
        os.write(writer, b".")
    thread = threading.Thread(target=first)
    if box.status == "idle":
        thread.start()
        os.read(reader, 1)
        take()
        box.status = "idle"
        box.count += 1
    thread.join()
    assert box.count == 2
def emptied(semaphore, places):
    for _ in range(places): semaphore.acquire()
    return semaphore
for each in (threading.Semaphore(0), emptied(threading.BoundedSemaphore(2), 2), emptied(threading.Lock(), 1)):
    hand_over(each.release, each.acquire)
event = threading.Event()
hand_over(event.set, event.wait)
for each in (queue.Queue(), queue.LifoQueue(), queue.PriorityQueue(), queue.SimpleQueue()):
    hand_over(lambda: each.put(1), each.get)
tasks = queue.Queue()
tasks.put(1)
hand_over(tasks.task_done, tasks.join)
"""

WORKER = """
class Worker:
    def __init__(self): self.status, self.beat = "idle", time.monotonic()
    def set_status(self, status): self.status = status
    def touch(self): self.beat = time.monotonic()
worker, tasks = Worker(), queue.Queue()
def do():
    for task in iter(tasks.get, None):
        worker.set_status(task)
        worker.touch()
        tasks.task_done()
thread = threading.Thread(target=do)
thread.start()
for name in ("resize", "upload", "clean"):
    assert worker.status == "idle" and worker.beat <= time.monotonic()
    tasks.put(name)
    tasks.join()
    worker.set_status("idle")
    worker.touch()
tasks.put(None)
thread.join()
"""

CACHES = """
class Lru:
    def __init__(self, make, size):
        self.make, self.size = make, size
        self.lock, self.cache = threading.RLock(), collections.OrderedDict()
        self.hits = self.misses = 0
    def __call__(self, key):
        with self.lock:
            if key in self.cache:
                self.hits += 1
                self.cache.move_to_end(key)
                return self.cache[key]
            self.misses += 1
            value = self.cache[key] = self.make(key)
            if len(self.cache) > self.size:
                self.cache.popitem(last=False)
            return value
class Table:
    def __init__(self): self.lock, self.items = threading.Lock(), {}
    def __getitem__(self, key):
        with self.lock: return self.items[key]
    def __setitem__(self, key, value):
        with self.lock: self.items[key] = value
    def update(self, key, change):
        with self.lock:
            self.items[key] = change(self.items.get(key, 0))
            return self.items[key]
class Lazy:
    _lock, _made = threading.Lock(), None
    @classmethod
    def get(cls):
        if cls._made is None:
            with cls._lock:
                if cls._made is None:
                    cls._made = cls()
        return cls._made
double, table = Lru(lambda key: key * 2, 5), Table()
def work():
    for number in range(TIMES):
        assert double(number % 9) == number % 9 * 2
        table.update("n", lambda old: old + 1)
        table[get_ident()] = number
        assert table[get_ident()] == number
        Lazy.get()
run(work)
assert double.hits + double.misses == THREADS * TIMES and table["n"] == THREADS * TIMES
"""

CONDITIONS = """
class Channel:
    def __init__(self, room):
        self.condition, self.items, self.room, self.given = threading.Condition(), [], room, 0
    def put(self, item):
        with self.condition:
            while len(self.items) >= self.room:
                self.condition.wait()
            self.items.append(item)
            self.given = self.given + 1
            self.condition.notify_all()
    def take(self):
        with self.condition:
            while not self.items:
                self.condition.wait()
            item = self.items.pop(0)
            self.condition.notify_all()
            return item
channel, taken, barrier = Channel(2), [], threading.Barrier(THREADS)
class Phase:
    number = 0
def give():
    for number in range(TIMES): channel.put(number)
    for number in range(3):
        if barrier.wait() == 0:
            Phase.number = number + 1
        barrier.wait()
        assert Phase.number == number + 1
taker = threading.Thread(target=lambda: taken.extend(channel.take() for _ in range(THREADS * TIMES)))
taker.start()
run(give)
taker.join()
assert len(taken) == THREADS * TIMES == channel.given
"""

LIBRARY = """
pool = concurrent.futures.ThreadPoolExecutor(THREADS)
assert sum(pool.map(lambda n: n * 2, range(TIMES))) == TIMES * (TIMES - 1)
futures = [pool.submit(pow, 2, n) for n in range(10)]
assert [f.result() for f in concurrent.futures.as_completed(futures)]
pool.shutdown()
boxes = [queue.Queue(3), queue.LifoQueue(), queue.PriorityQueue(4)]
def pass_on():
    for number in range(TIMES):
        for box in boxes: box.put(number)
        for box in boxes: box.get(); box.task_done()
run(pass_on)
for box in boxes: box.join()
ready, slots, timers = threading.Event(), threading.BoundedSemaphore(2), []
def wait():
    ready.wait()
    for _ in range(TIMES):
        with slots: pass
    local = threading.local(); local.n = 1
    timer = threading.Timer(0, ready.set); timer.start(); timer.join()
threading.Thread(target=ready.set).start()
run(wait)
async def main():
    lock, box, total, event = asyncio.Lock(), asyncio.Queue(2), [0], asyncio.Event()
    gate = asyncio.Semaphore(2)
    async def task(number):
        async with gate, lock:
            n = total[0]
            await asyncio.sleep(0)
            total[0] = n + 1
        await box.put(number)
        event.set()
    async def taker(): return [await box.get() for _ in range(6)]
    reader = asyncio.create_task(taker())
    await asyncio.gather(*(task(n) for n in range(6)))
    await event.wait()
    assert total[0] == 6 and sorted(await reader) == list(range(6))
asyncio.run(main())
"""

PRELUDE = """
import asyncio, collections, concurrent.futures, queue, sys, threading, time
from threading import get_ident
if sys.argv[1:]: sys.setswitchinterval(float(sys.argv[1]))
THREADS, TIMES = 3, 40
def run(work):
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""

PROGRAMS = {
    "owner-checking lock": OWNER,
    "last writer wins": HEARTBEAT,
    "handed over by start and join": HANDED_OVER,
    "worker": WORKER,
    "given": GIVEN,
    "caches": CACHES,
    "conditions": CONDITIONS,
    "the standard library": LIBRARY,
}
WOVEN = {"the standard library": ("queue", "concurrent.futures.*", "asyncio.*")}
