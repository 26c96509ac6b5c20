"""Deadlock: threads that wait for each other in a circle, or for a lock whose holder has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.guards import Guards
from opcodetrace.analyse.lock_order import (
    MAX_CIRCLE,
    Nested,
    Starts,
    Waiting,
    abandoned,
    as_interrupted,
    circles,
    inversions,
    nested,
    waiting,
)
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller, Total
from opcodetrace.trace.quantity import extent, listing
from opcodetrace.trace.report_step import SyncStep
from opcodetrace.trace.sync import Act

NAME = "deadlock"
LEFT = "left held"
NUMBERS = range(1, MAX_CIRCLE + 1)


def holds(number: int) -> str:
    return f"hold {number}"


def waits(number: int) -> str:
    return f"wait {number}"


class DeadlockKind(Kind):
    """See `analyse.lock_order`. Its roles come in pairs, a pair for each thread of the circle."""

    name = NAME
    claim = (
        "Threads waited for each other in a circle, each for a lock that the next one held, and none gave up; or a "
        "thread waited for a lock that another one held as it ended."
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
            )
        ),
    )
    pivot = waits(1)

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        trace = evidence.trace
        objects = {each.id: each for each in trace.sync_objects}
        stuck: set[frozenset[int]] = set()
        rows, threads = as_interrupted(trace)
        stuck_threads = waiting(rows, objects, threads, trace.bounded)
        for wait in abandoned(stuck_threads, rows, objects, threads, Guards(trace).releases):
            if wait.site is not None and wait.lock is not None and wait.held_since is not None:
                roles = {LEFT: wait.held_since, waits(1): wait.seq}
                yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (), (wait.lock,))
        for circle in circles(stuck_threads):
            finding = _of_waits(circle)
            if finding is not None:
                stuck.add(frozenset(finding.locks))
                yield finding
        taken = nested(trace.synchronisation, objects, trace.bounded)
        for inversion in inversions(taken, lambda: Starts(trace.synchronisation, trace.threads, _knows(evidence))):
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
            return "Proven: the waits had no timeout, and these threads did nothing more."
        return (
            "Possible: no lock that was held around both, and no thread that did its part before it started the other "
            "or after it had joined it, was seen."
        )

    def remark(self, role: str, teller: Teller) -> str | None:
        if not role.startswith("wait") or teller.severity is not Severity.HAPPENED:
            return None
        return "WAITS FOR EVER"


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
    return Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, (), tuple(sorted(set(locks)))) if locks else None


def _of_inversion(edges: list[Nested]) -> Finding:
    roles: dict[str, int] = {}
    for number, edge in enumerate(edges, 1):
        roles[holds(number)] = edge.held_since
        roles[waits(number)] = edge.seq
    locks = tuple(sorted(edge.lock for edge in edges))
    return Finding(NAME, Severity.POSSIBLE, Certainty.PROVEN, roles, (), locks)


DEADLOCK = DeadlockKind()
