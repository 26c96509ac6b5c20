"""The reports that the gold files hold, by the name of the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from opcodetrace.trace.event import ABSENT, EventKind, Opaque
from opcodetrace.trace.finding import Certainty, FindingGroup, Severity, Tally
from opcodetrace.trace.report_model import RunReport, UnwovenFunction, WatchedLocation
from opcodetrace.trace.run import Truncation
from opcodetrace.trace.switch import Reason
from tests.report.threads_at_work import Recorded

COUNTER = """\
from threading import Thread
from time import sleep

counter = [0]

def increment():
    count = counter[0]
    sleep(0)
    counter[0] = count + 1
"""

ACCOUNT = """\
class Account:
    def deposit(self, amount):
        self.balance = self.rate(self.balance) + amount

    def audit(self):
        self.balance = 0
"""

LOOP = """\
hits = 0

def visit(times):
    global hits
    for _ in range(times):
        seen = hits
        hits = seen + 1
"""

UNICODE = """\
zähler = {"straße": 0}

def erhöhe():
    zähler["straße"] = 加算(zähler["straße"])  # 東京 ü ❤
"""

LONG = """\
def settle(ledger, entries, exchange_rates, fallback_rate=1.0, notify=None):
    total_of_all_entries = sum(each.amount * exchange_rates.get(each.currency, fallback_rate) for each in entries) + ledger["total|sum"] + sum(`x`)
    ledger["total|sum"] = total_of_all_entries if notify is None else notify(total_of_all_entries, ledger, entries, exchange_rates)
"""  # noqa: E501


def archetype() -> Recorded:
    run = Recorded(COUNTER)
    run.read(1, 7, 0)
    run.yielded(1, 2, 8)
    run.read(2, 7, 0)
    run.yielded(2, 1, 8)
    run.write(1, 9, 1)
    run.switch(1, 2, reason=Reason.ENDED)
    run.write(2, 9, 1)
    return run


def two_threads() -> RunReport:
    run = archetype()
    return run.report([run.story(run.lost(105, 101, 107, 103))], [run.watched(1)])


def three_threads() -> RunReport:
    """All three read 0; a third thread's accesses lie between, and other work is folded."""
    run = Recorded(COUNTER, names=("MainThread", *(f"Thread-{number} (increment)" for number in (1, 2, 3))))
    run.elsewhere(1, 3)
    one = run.read(1, 7, 4)
    run.yielded(1, 2, 8)
    run.elsewhere(2, 1204)
    two = run.read(2, 7, 4)
    run.switch(2, 3, 8, "sleep(0)", None, Reason.PREEMPTED)
    three = run.read(3, 7, 4)
    run.switch(3, 1, 8, "wait_for_the_server(timeout=30)", "_thread.lock.acquire", Reason.BLOCKED)
    lost = run.write(1, 9, 5)
    run.switch(1, 2, reason=Reason.ENDED)
    also = run.write(2, 9, 5)
    run.switch(2, 0, reason=Reason.ENDED)
    run.elsewhere(0, 2)
    run.switch(0, 3, 20, "thread.join()", "_thread.lock.acquire", Reason.BLOCKED)
    by = run.write(3, 9, 5)
    stories = [run.story(run.lost(lost, one, by, three)), run.story(run.lost(also, two, by, three))]
    return run.report(stories, [run.watched(2)])


def attribute() -> RunReport:
    """One line is read, call and write; the value went through a call, so the source is inferred."""
    run = Recorded(ACCOUNT, "self.balance", names=("MainThread", "teller-a", "teller-b"), path="/home/ada/bank/acc.py")
    origin = run.write(0, 6, 100, computed=None)
    assert origin
    run.switch(0, 1, 30, "start()", "_thread.start_new_thread", Reason.BLOCKED)
    run.elsewhere(1, 2)
    one = run.read(1, 3, 100)
    run.switch(1, 2, 3, "self.rate(self.balance)", None, Reason.PREEMPTED)
    other = run.read(2, 3, 100)
    by_one = run.write(2, 3, 150)
    run.switch(2, 1, 2, None, None, Reason.PREEMPTED, opcode="RESUME")
    by_other = run.write(1, 3, 130)
    return run.report([run.story(run.lost(by_one, other, by_other, one, Certainty.INFERRED))], [run.watched(1)])


def thousand_by_one() -> RunReport:
    """Thread-2 reads 0, Thread-1 counts to 1000, Thread-2 writes 1."""
    run = Recorded(LOOP, "global hits", names=("MainThread", "Thread-1 (visit)", "Thread-2 (visit)"))
    stale = run.read(2, 6, 0)
    run.switch(2, 1, 5, None, None, Reason.PREEMPTED, opcode="JUMP_BACKWARD")
    for value in range(1000):
        read = run.read(1, 6, value)
        lost = run.write(1, 7, value + 1)
    run.switch(1, 2, 5, None, None, Reason.PREEMPTED, opcode="JUMP_BACKWARD")
    by = run.write(2, 7, 1)
    return run.report([run.story(run.lost(lost, read, by, stale), 1000)], [run.watched(1000)])


def free_threaded() -> RunReport:
    run = Recorded(
        LOOP, "global hits", free_threaded=True, names=("MainThread", "Thread-1 (visit)", "Thread-2 (visit)")
    )
    run.elsewhere(1, 3)
    one = run.read(1, 6, 41, width=2)
    other = run.read(2, 6, 41, width=3)
    lost = run.write(1, 7, 42, width=1)
    by = run.write(2, 7, 42, width=2)
    found = run.lost(lost, one, by, other, severity=Severity.POSSIBLE)
    return run.report([run.story(found, 4)], [run.watched(2, 5, exhausted=True)])


def possibly_lost() -> RunReport:
    report = free_threaded()
    found = (Tally("lost update", 0, 2, 1),)
    watched = replace(report.watched[0], found=found)
    story = replace(report.stories[0], count=2)
    run = replace(report.run, lost=0, lost_at_most=2, found=found)
    return replace(report, run=run, watched=(watched,), stories=(story,))


def nothing_lost() -> RunReport:
    run = Recorded(COUNTER)
    for value in range(3):
        run.read(1, 7, value)
        run.write(1, 9, value + 1)
    run.switch(1, 2, reason=Reason.ENDED)
    run.read(2, 7, 3)
    run.write(2, 9, 4)
    other = WatchedLocation("global ready", 1, 20, 1, 2)
    return run.report([], [run.watched(0, overwriters=0), other])


def nothing_shared() -> RunReport:
    return Recorded(COUNTER, names=("MainThread",)).report()


def truncated() -> RunReport:
    """Everything that can limit a recording."""
    run = archetype()
    example = run.lost(105, 101, 107, 103)
    lost = run.watched(1)
    reused = WatchedLocation("node.next", 2, 40, 12, 2, uncertain=2)
    unwoven = [
        UnwovenFunction("Worker.run", "/home/ada/counter.py", 40, "the original is not left without its hooks"),
        UnwovenFunction("<lambda>", "/home/ada/counter.py", 44, "its stack is deeper than hooks can go"),
    ]
    return run.report(
        [run.story(run.lost(105, 101, 107, 103))],
        [replace(lost, found=(*lost.found, Tally("unseen write", 3, 3))), reused],
        more=[
            FindingGroup("lost update", Severity.HAPPENED, Certainty.PROVEN, "f00d", count, 1, ("x",), {}, example)
            for count in (20, 11)
        ],
        unwoven=unwoven,
        unseen=3,
        missed=2,
        holes=1,
        truncated=Truncation.WINDOW,
        truncated_seq=22369621,
        exit_code=None,
        signal=9,
        notes=("Ingest was interrupted once and begun again.",),
    )


def unicode_source() -> RunReport:
    run = Recorded(
        UNICODE, "zähler['straße']", names=("MainThread", "Größe-1", "東京スレッド"), path="/home/ada/zähler.py"
    )
    one = run.read(1, 4, "東京")
    run.switch(1, 2, 4, "加算(zähler['straße'])", "加算", Reason.BLOCKED)
    other = run.read(2, 4, "東京")
    by = run.write(2, 4, "\x1b[31m\ud800 ü", computed=None)
    run.switch(2, 1, 4, "加算(zähler['straße'])", None, None)
    last = run.write(1, 4, "東京" * 30, computed=None)
    return run.report([run.story(run.lost(by, other, last, one))], [run.watched(1)])


def long_lines() -> RunReport:
    run = Recorded(
        LONG,
        "ledger['total|sum']",
        names=("MainThread", "ThreadPoolExecutor-0_0", "ThreadPoolExecutor-0_1"),
        path="/home/ada/a/very/long/path/to/a/module/of/the/company/that/goes/on/and/on/ledger_settlement.py",
    )
    first = Opaque("decimal.Decimal", 0x7F0000001000)
    run.expression = 'ledger["total|sum"]'
    one = run.read(1, 2, first)
    call = "notify(total_of_all_entries, ledger, entries, exchange_rates)"
    run.switch(1, 2, 3, call, "_socket.socket.recv", Reason.BLOCKED)
    other = run.read(2, 2, first)
    lost = run.write(2, 3, Opaque("decimal.Decimal", 0x7F0000002000), computed=None)
    run.switch(2, 1, 3, call, "_socket.socket.recv", Reason.BLOCKED)
    by = run.write(1, 3, Opaque("decimal.Decimal", 0x7F0000003000), computed=None)
    return run.report([run.story(run.lost(lost, other, by, one))], [run.watched(1)])


def deletion() -> RunReport:
    """An update lost to a deletion, in a run of two findings; and one that a thread lost to itself."""
    run = archetype()
    gone = run.event(1, EventKind.DELETE, run.at(9, "DELETE_SUBSCR", "counter[0]"), ABSENT)
    again = run.write(2, 9, 2)
    first = run.story(run.lost(105, 101, gone, None))
    second = run.story(run.lost(107, 103, again, 103))
    return run.report([first, second], [run.watched(2, overwriters=2)])


GUARDED = """\
counter = [0]

def increment():
    with guard:
        count = counter[0]
        sleep(0)
        counter[0] = count + 1
"""

HANDED_OVER = """\
counter = [0]

def increment():
    count = counter[0]
    sleep(0)
    counter[0] = count + 1

def first():
    increment()
    signal.set()

def second():
    signal.wait()
    increment()
"""


def guarded() -> tuple[Recorded, int]:
    """A run, and the site of `with guard`."""
    run = Recorded(GUARDED)
    return run, run.call(4, "guard")


def waited_for(run: Recorded, lock: int, site: int, *, depth: int = 1) -> None:
    """Thread 1 holds the lock as thread 2 comes for it."""
    for _ in range(depth):
        run.does(1, "acquire", lock, site=site)
    run.read(1, 5, 0)
    run.yielded(1, 2, 6)
    begun = run.does(2, "acquire", lock, begins=True, holder=1, site=site)
    run.switch(2, 1, 4, "guard", "_thread.lock.__enter__", Reason.BLOCKED, opcode="BEFORE_WITH")
    run.write(1, 7, 1)
    for _ in range(depth):
        run.does(1, "release", lock, site=site)
    run.switch(1, 2, reason=Reason.ENDED)
    run.does(2, "acquire", lock, since=begun, waited=0.0012, holder=1, woken_by=1, site=site)
    run.read(2, 5, 1)
    run.write(2, 7, 2)
    run.does(2, "release", lock, site=site)


def protected_by_lock() -> RunReport:
    run, site = guarded()
    waited_for(run, run.thing("_thread.lock", "guard"), site)
    return run.report(watched=[run.watched(0, overwriters=0)], protected=[run.protected()])


def protected_by_rlock() -> RunReport:
    run, site = guarded()
    waited_for(run, run.thing("_thread.RLock", "guard"), site, depth=2)
    return run.report(watched=[run.watched(0, overwriters=0)], protected=[run.protected()])


def protected_by_condition() -> RunReport:
    run, site = guarded()
    waited_for(run, run.thing("_thread.RLock", "<RLock> in guard"), site)
    return run.report(watched=[run.watched(0, overwriters=0)], protected=[run.protected()])


def protected_by_semaphore() -> RunReport:
    run, site = guarded()
    semaphore, inner = run.thing("threading.Semaphore", "guard"), run.thing("_thread.lock", "<lock> in guard")
    for thread in (1, 2):
        run.whole(thread, "acquire", semaphore, inner, site=site)
        run.read(thread, 5, thread - 1)
        run.yielded(thread, 3 - thread, 6)
        run.yielded(3 - thread, thread, 6)
        run.write(thread, 7, thread)
        run.whole(thread, "release", semaphore, inner, site=site)
        run.switch(thread, 3 - thread, reason=Reason.ENDED)
    return run.report(watched=[run.watched(0, overwriters=0)], protected=[run.protected()])


def handed_over(operations: tuple[str, str], type_name: str, label: str) -> RunReport:
    """Thread 1 updates and then does the first of the operations, thread 2 the second one and then updates."""
    run = Recorded(
        HANDED_OVER.replace("signal.set", f"{label}.{operations[0]}").replace("signal.wait", f"{label}.{operations[1]}")
    )
    called, inner = run.thing(type_name, label), run.thing("_thread.lock", f"<lock> in {label}.{operations[0]}()")
    waiter = run.thing("_thread.lock", f"<lock> in {label}.{operations[1]}()")
    gives, takes = run.call(10, f"{label}.{operations[0]}()"), run.call(13, f"{label}.{operations[1]}()")
    condition = run.thing("threading.Condition", f"<Condition> in {label}.{operations[1]}()")

    def first() -> None:
        run.read(1, 4, 0)
        run.write(1, 6, 1)

    if type_name == "threading.Barrier":  # it comes first there, and waits
        first()
    waits = 1 if type_name == "threading.Barrier" else 2
    site = gives if waits == 1 else takes
    begun = run.does(waits, operations[waits - 1], called, begins=True, site=site)
    run.does(waits, "acquire", inner, inside=begun, site=site)
    inside = run.does(waits, "wait", condition, begins=True, inside=begun, site=site)
    run.does(waits, "acquire", waiter, inside=inside, site=site)
    run.does(waits, "release", inner, inside=inside, site=site)
    blocked = run.does(waits, "acquire", waiter, begins=True, inside=inside, site=site)
    run.switch(
        waits, 3 - waits, 10 if waits == 1 else 13, f"{label}.{operations[waits - 1]}()", "_thread.lock.acquire",
        Reason.BLOCKED,
    )  # fmt: skip
    if waits == 2:
        first()
    other = takes if waits == 1 else gives
    run.whole(3 - waits, operations[2 - waits], called, inner, ("release", waiter), site=other)
    if waits == 1:
        run.read(2, 4, 1)
        run.write(2, 6, 2)
    run.switch(3 - waits, waits, reason=Reason.ENDED)
    run.does(waits, "acquire", waiter, since=blocked, woken_by=3 - waits, inside=inside, site=site)
    run.does(waits, "acquire", inner, inside=inside, site=site)
    run.does(waits, "wait", condition, inside=begun, woken_by=3 - waits, site=site)
    run.does(waits, "release", inner, inside=begun, site=site)
    run.does(waits, operations[waits - 1], called, waited=0.25, woken_by=3 - waits, site=site)
    if waits == 2:
        run.read(2, 4, 1)
        run.write(2, 6, 2)
    return run.report(watched=[run.watched(0, overwriters=0)], protected=[run.protected()])


def protected_by_event() -> RunReport:
    return handed_over(("set", "wait"), "threading.Event", "done")


def protected_by_queue() -> RunReport:
    return handed_over(("put", "get"), "queue.Queue", "box")


def protected_by_barrier() -> RunReport:
    return handed_over(("wait", "wait"), "threading.Barrier", "wall")


def protected_by_nothing() -> RunReport:
    """Beside another location that was, and lost none either; the run was long."""
    run, site = guarded()
    lock = run.thing("_thread.lock", "guard")
    run.does(1, "acquire", lock, site=site)
    run.read(1, 5, 0)
    run.write(1, 7, 1)
    run.does(1, "release", lock, site=site)
    run.switch(1, 2, reason=Reason.ENDED)
    run.read(2, 5, 1)
    run.write(2, 7, 2)
    report = run.report(watched=[run.watched(0, overwriters=0)], protected=[run.protected(shown=False)])
    return replace(report, more_protected=3, untold_synchronisation=2_000_000)


def different_locks() -> RunReport:
    """An update lost though each thread held a lock; more steps of synchronisation than are shown."""
    run, site = guarded()
    one, other = run.thing("_thread.lock", "guard"), run.thing("_thread.lock", "other_guard")
    run.does(1, "acquire", one, site=site)
    read = run.read(1, 5, 0)
    run.yielded(1, 2, 6)
    run.does(2, "acquire", other, site=site)
    stale = run.read(2, 5, 0)
    run.yielded(2, 1, 6)
    lost = run.write(1, 7, 1)
    for _ in range(5):
        run.does(1, "release", one, site=site)
        run.does(1, "acquire", one, site=site)
    run.does(1, "release", one, site=site)
    run.switch(1, 2, reason=Reason.ENDED)
    by = run.write(2, 7, 1)
    return run.report([run.story(run.lost(lost, read, by, stale))], [run.watched(1)])


def lock_released_between() -> RunReport:
    """Each thread took the lock for the read, and once more for the write."""
    run, site = guarded()
    lock = run.thing("_thread.lock", "guard")
    reads, writes = [], []
    for thread in (1, 2):
        run.does(thread, "acquire", lock, site=site)
        reads.append(run.read(thread, 5, 0))
        run.does(thread, "release", lock, site=site)
        run.yielded(thread, 3 - thread, 6)
    for thread in (1, 2):
        run.does(thread, "acquire", lock, site=site)
        writes.append(run.write(thread, 7, 1))
        run.does(thread, "release", lock, site=site)
        run.switch(thread, 3 - thread, reason=Reason.ENDED)
    return run.report([run.story(run.lost(writes[0], reads[0], writes[1], reads[1]))], [run.watched(1)])


CASES: list[Callable[[], RunReport]] = [
    two_threads,
    three_threads,
    attribute,
    thousand_by_one,
    free_threaded,
    possibly_lost,
    nothing_lost,
    nothing_shared,
    truncated,
    unicode_source,
    long_lines,
    deletion,
    protected_by_lock,
    protected_by_rlock,
    protected_by_condition,
    protected_by_semaphore,
    protected_by_event,
    protected_by_queue,
    protected_by_barrier,
    protected_by_nothing,
    different_locks,
    lock_released_between,
]
