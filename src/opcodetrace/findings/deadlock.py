"""Deadlock: threads that wait for each other in a circle, or for what nobody is left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from opcodetrace.analyse.endless_task_waits import EndlessTaskWaits
from opcodetrace.analyse.endless_waits import Endless, EndlessWaits
from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.guards import Guards
from opcodetrace.analyse.lock_order import (
    MAX_CIRCLE,
    Exclusions,
    Nested,
    Semaphores,
    Starts,
    Waiting,
    abandoned,
    circles,
    inversions,
    moments,
    nested,
    owned,
    waiting,
)
from opcodetrace.analyse.task_circles import circles_of_tasks
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent, listing
from opcodetrace.trace.report_step import SyncStep
from opcodetrace.trace.sync import BARRIERS, CONDITIONS, EVENTS, OF_TASKS, Act, Primitive

NAME = "deadlock"
LEFT = "left held"
NUMBERS = range(1, MAX_CIRCLE + 1)


def holds(number: int) -> str:
    return f"hold {number}"


def waits(number: int) -> str:
    return f"wait {number}"


def gave(number: int) -> str:
    return f"gave {number}"


_ENDS = {  # what nobody is left to do, and what it is called when it was done
    Act.GET: ("put anything into {}", "put something into it"),
    Act.PUT: ("take anything out of {}", "took something out of it"),
    Act.JOIN: ("mark the last items of {} as done", "marked an item of it as done"),
    Act.ACQUIRE: ("release {}", "released it"),
    Act.RESULT: ("give {} a result", ""),
    Act.EXCEPTION: ("give {} a result", ""),
}
_ENDS_WAIT = {
    **dict.fromkeys(EVENTS, ("set {}", "set it")),
    **dict.fromkeys(CONDITIONS, ("notify {}", "notified it")),
    **dict.fromkeys(BARRIERS, ("come to {}", "")),
}


class DeadlockKind(Kind):
    """See `analyse.lock_order`. Its roles come in pairs, a pair for each thread of the circle."""

    name = NAME
    claim = (
        "Threads waited for each other in a circle, each for a lock that the next one held, and none gave up; or a "
        "thread waited for a lock that another one held as it ended; or the program hung: each of its threads waited, "
        "and none was left that could end any of these waits."
    )
    roles = (
        Role(LEFT, "a thread took the lock, and ended without having released it", groups=True),
        *(
            role
            for number in NUMBERS
            for role in (
                Role(
                    holds(number),
                    f"thread {number} took the lock that the one before it in the circle wants",
                    groups=True,
                ),
                Role(waits(number), "it waits for the lock of the next one, or for its end", Mark.WRONG, groups=True),
                Role(gave(number), "the last time that another thread gave what is waited for"),
            )
        ),
    )
    pivot = waits(1)

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        trace = evidence.trace
        objects = {each.id: each for each in trace.sync_objects}
        stuck: set[frozenset[int]] = set()
        told: set[int] = set()
        guards = Guards(trace)
        endless = EndlessWaits(trace, guards)
        endless_of_tasks = EndlessTaskWaits(trace, endless)
        for circle in circles_of_tasks(trace, guards):
            finding = _of_waits(circle)
            if finding is None or frozenset(finding.locks) in stuck:
                continue
            if len(circle) == 1 and not list(owned(circle, trace.synchronisation, objects, guards.keeps)):
                continue  # another task may be meant to release it
            stuck.add(frozenset(finding.locks))
            told |= {wait.seq for wait in circle}
            yield finding
        for moment in moments(trace):
            rows, threads = moment.synchronisation, moment.threads
            stuck_threads = waiting(rows, objects, threads, trace.bounded)
            for wait in abandoned(stuck_threads, rows, objects, threads, guards.releases):
                if wait.site is not None and wait.lock is not None and wait.held_since is not None:
                    if wait.seq not in told:
                        roles = {LEFT: wait.held_since, waits(1): wait.seq}
                        yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (), (wait.lock,))
                    told.add(wait.seq)
            for circle in circles(stuck_threads):
                finding = _of_waits(circle)
                if finding is None or frozenset(finding.locks) in stuck:
                    continue
                if len(circle) == 1 and not list(owned(circle, rows, objects, guards.keeps)):
                    continue  # another thread may be meant to release it
                stuck.add(frozenset(finding.locks))
                told |= {wait.seq for wait in circle}
                yield finding
            hung = endless.at(moment, stuck_threads) or endless_of_tasks.at(moment, stuck_threads)
            if hung and hung[0].wait.seq not in told:
                told |= {each.wait.seq for each in hung}
                yield _of_endless(hung)
        taken = nested(trace.synchronisation, objects, trace.bounded)

        def depends(edge: Nested) -> bool:
            return guards.is_under_condition(edge.site, edge.held_site)

        def exclusions() -> Exclusions:
            starts = Starts(trace.synchronisation, trace.threads, _knows(evidence))
            semaphores = Semaphores(trace.synchronisation, objects)
            return Exclusions(starts, semaphores, evidence.pasts.was_signalled, depends)

        for inversion in inversions(taken, exclusions):
            if frozenset(edge.lock for edge in inversion) not in stuck:
                yield _of_inversion(inversion)

    def headline(self, total: Total) -> str:
        if total.low:
            sentence = "1 deadlock happened" if total.low == 1 else f"{total.low:,} deadlocks happened"
            more = total.high - total.low
            return f"{sentence}{f', and {extent(more, more, self.name)} more can happen' if more else ''}."
        number = "A deadlock" if total.high == 1 else f"{total.high:,} deadlocks"
        return f"{number} can happen: nothing seen excludes {'it' if total.high == 1 else 'them'}."

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        where = dict.fromkeys(places[waits(number)] for number in NUMBERS if waits(number) in places)
        return f"deadlock, {'threads' if len(where) > 1 else 'a thread'} at {listing(list(where))}"

    def sentences(self, teller: Teller) -> Iterable[str]:
        numbers = [number for number in NUMBERS if teller.sync(waits(number)) is not None]
        happened = teller.severity is Severity.HAPPENED
        left, wait = teller.sync(LEFT), teller.sync(waits(1))
        if left is not None and wait is not None:
            yield (
                f"{teller.lane(wait.thread)} waits for {teller.lock(wait)}{_at(teller, wait)}, which "
                f"{teller.lane(left.thread)} took{_at(teller, left)} and never released: it has ended."
            )
            yield "Take it by a `with` statement, which releases it even if an error ends the thread."
            return
        if happened and all(teller.sync(holds(number)) is None for number in numbers):
            yield from _hung([teller.sync(waits(number)) for number in numbers], numbers, teller)
            return
        for place, number in enumerate(numbers):
            wait = teller.sync(waits(number))
            after = numbers[(place + 1) % len(numbers)]
            lock = teller.sync(holds(after))
            if wait is None:
                continue
            name = teller.lane(wait.thread)
            if lock is None:
                other = "another thread" if wait.other is None else teller.lane(wait.other)
                if wait.operation == Act.JOIN:
                    yield f"{name} waits for the end of {other}{_at(teller, wait)}."
                else:
                    yield f"{name} waits for {teller.lock(wait)}{_at(teller, wait)}; more threads are in the circle."
            elif happened:
                who = "it" if lock.thread == wait.thread else teller.lane(lock.thread)
                took = "took itself" if lock.thread == wait.thread else "took"
                yield (
                    f"{name} waits for {teller.lock(wait)}{_at(teller, wait)}, which {who} {took}{_at(teller, lock)} "
                    "and holds."
                )
            else:
                own = teller.sync(holds(number))
                held = "" if own is None else f" while it held {teller.lock(own)}{_at(teller, own)}"
                yield f"{name} took {teller.lock(wait)}{_at(teller, wait)}{held}."
        if not happened:
            two = len(numbers) == 2
            yield (
                f"If each takes its first lock before {'the other' if two else 'any of them'} takes its second, "
                f"{'both' if two else 'all'} wait for ever."
            )
            yield "Let all take these locks in the same order, or hold one more lock around them."

    def how_sure(self, teller: Teller) -> str:
        if teller.severity is Severity.HAPPENED:
            if teller.sync(LEFT) is not None:
                return "Proven: the wait had no timeout, and the thread that held the lock had ended."
            waits_of = [teller.sync(waits(number)) for number in NUMBERS]
            if all(teller.sync(holds(number)) is None for number in NUMBERS):
                if _all_others(waits_of) != _all_others(()):
                    return (
                        "Proven: the event loop had nothing to do, no timer and no socket, and no thread that had not "
                        "ended did anything but wait."
                    )
                return (
                    "Proven: no thread that had not ended did anything but wait, and none of these waits had a timeout."
                )
            if _all_others(waits_of) != _all_others(()):
                return (
                    "Proven: each of these tasks waited for what the next one held, or for its end, and made no other "
                    "step until it was cancelled or the run ended."
                )
            return "Proven: the waits had no timeout, and these threads did nothing more."
        return (
            "Possible: no lock that was held around both, and no thread that did its part before it started the other "
            "or after it had joined it, was seen."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        if not role.startswith("wait") or teller.severity is not Severity.HAPPENED:
            return None
        step = teller.sync(role)
        is_of_tasks = step is not None and step.object is not None and step.object.type_name in OF_TASKS
        return "CANNOT GO ON" if is_of_tasks else "WAITS FOR EVER"  # a task may have been cancelled


def _at(teller: Teller, step: SyncStep) -> str:
    return "" if step.site is None else f" ({teller.place(step.site)})"


def _knows(evidence: Evidence) -> Callable[[int, int, int, int], bool | None]:
    """`Pasts.knows` of tasks; None, if it is not known what made each of their steps go on."""
    followed = evidence.trace.callbacks.followed
    judged = {each.thread for each in evidence.trace.threads if each.task_of in followed}

    def knows(task: int, seq: int, other: int, then: int) -> bool | None:
        return evidence.pasts.knows(task, seq, other, then) if task in judged and other in judged else None

    return knows


def _of_waits(circle: list[Waiting]) -> Finding | None:
    """Of a circle of threads, each waiting for the next. None if none waits in woven code, or none for a lock."""
    roles: dict[str, int] = {}
    locks: list[int] = []
    first = next((place for place, wait in enumerate(circle) if wait.site is not None), None)
    if first is None:
        return None
    circle = circle[first:] + circle[:first]
    for place, wait in enumerate(circle[:MAX_CIRCLE]):
        number = place + 1
        roles[waits(number)] = wait.seq
        after = (place + 1) % len(circle) + 1
        if wait.lock is not None and wait.held_since is not None and after <= MAX_CIRCLE:
            roles[holds(after)] = wait.held_since
            locks.append(wait.lock)
    locks = locks or [wait.task for wait in circle if wait.task is not None]
    return Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (), tuple(sorted(set(locks)))) if locks else None


def _of_endless(hung: list[Endless]) -> Finding:
    roles: dict[str, int] = {}
    objects: set[int] = set()
    for number, each in enumerate(hung, 1):
        roles[waits(number)] = each.wait.seq
        if each.given is not None:
            roles[gave(number)] = each.given.seq
        if each.wait.object is not None and (each.ends_by_giving or each.wait.operation == Act.ACQUIRE):
            objects.add(each.wait.object)
    return Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (), tuple(sorted(objects)))


def _hung(steps: Sequence[SyncStep | None], numbers: Sequence[int], teller: Teller) -> Iterator[str]:
    ends: dict[str, None] = {}
    for step, number in zip(steps, numbers, strict=True):
        if step is None:
            continue
        name = teller.lane(step.thread)
        if step.other is not None:
            yield f"{name} waits for the end of {teller.lane(step.other)}{_at(teller, step)}."
        elif step.holder is not None:
            yield f"{name} waits for {teller.lock(step)}{_at(teller, step)}, which {teller.lane(step.holder)} holds."
        elif step.object is not None:
            end, did = _ENDS_WAIT.get(Primitive(step.object.type_name)) or _ENDS[Act(step.operation)]
            ends[end.format(teller.lock(step))] = None
            given = teller.sync(gave(number))
            last = "" if given is None else f"; {teller.lane(given.thread)} {did} last{_at(teller, given)}"
            yield f"{name} waits for {teller.lock(step)}{_at(teller, step)}{last}."
    left = f"nobody is left to {' or '.join(ends)}" if ends else "none of them can go on"
    yield f"{_all_others(steps)} have ended, or wait themselves: {left}."


def _all_others(steps: Iterable[SyncStep | None]) -> str:
    types = {step.object.type_name for step in steps if step is not None and step.object is not None}
    return "All other threads and tasks" if types & OF_TASKS else "All other threads"


def _of_inversion(edges: list[Nested]) -> Finding:
    roles: dict[str, int] = {}
    for number, edge in enumerate(edges, 1):
        roles[holds(number)] = edge.held_since
        roles[waits(number)] = edge.seq
    locks = tuple(sorted(edge.lock for edge in edges))
    return Finding(NAME, Severity.POSSIBLE, Certainty.PROVEN, roles, (), locks)


DEADLOCK = DeadlockKind()
