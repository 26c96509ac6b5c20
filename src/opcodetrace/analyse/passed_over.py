"""Waits at a Condition that go on though what they wait for is so: `notify()` woke another thread.

`notify()` lets one of those go on that wait (Hoare's monitors had one waiter for each signal); if all of them wait for
the same change, a flag, say, the others wait for ever. The source tells what a thread waits for: the test of the loop
around the wait. It is one if the last change of what was tested undoes that test, somebody notified after it, and
nobody ever let the thread go on. Whoever was woken may pass that on, so all of them must have ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from opcodetrace.analyse.deciding_reads import DecidingReads
from opcodetrace.analyse.guards import Guards, Wait
from opcodetrace.trace.sync import Act, Primitive

if TYPE_CHECKING:
    from opcodetrace.analyse.evidence import Evidence
    from opcodetrace.analyse.happens_before import SyncOperation
    from opcodetrace.trace.run import Trace


class PassedOver(NamedTuple):
    """All but object and location are seqs."""

    object: int
    location: int
    check: int
    wait: int
    change: int
    notification: int


def passed_over(evidence: Evidence) -> Iterator[PassedOver]:
    """In the order of the waits. None in a run of which records are missing."""
    trace, operations = evidence.trace, evidence.pasts.operations.all
    if trace.let_go or trace.merged or trace.missed or trace.holes or trace.truncated is not None:
        return
    own = {each.id for each in trace.sync_objects if each.type_name == Primitive.CONDITION}
    used = [each for each in operations if each.first.object in own] if own else []
    waits = [(each, lock) for each in used if (lock := _asleep_at(each, trace)) is not None]
    if not waits:
        return
    woken = _released(trace, {lock: each.first.seq for each, lock in waits})
    guards = Guards(trace)
    called: list[tuple[SyncOperation, Wait]] = []
    for each, lock in waits:
        call = guards.wait(each.first.site) if each.first.site is not None and lock not in woken else None
        if call is not None and call.looks_again and _is_missed(each.first.thread, evidence):
            called.append((each, call))
    reads = DecidingReads(trace, guards, [call for _, call in called])
    for each, call in called:
        found = next(_of(each, call, reads, used, trace), None)
        if found is not None:
            yield found


def _asleep_at(wait: SyncOperation, trace: Trace) -> int | None:
    """The lock of its own at which a thread was blocked until the run ended, with no timeout."""
    if wait.first.operation != Act.WAIT or wait.last is not None:
        return None
    asleep = wait.asleep()
    return None if asleep is None or asleep.seq in trace.bounded else asleep.object


def _released(trace: Trace, locks: Mapping[int, int]) -> set[int]:
    """Those of the locks that were released after a seq: who waits there is about to go on."""
    release: str = Act.RELEASE
    return {
        each.object
        for each in trace.synchronisation
        if each.object is not None and each.operation == release and locks.get(each.object, each.seq) < each.seq
    }


def _is_missed(thread: int, evidence: Evidence) -> bool:
    """Whether another thread waited for the end of one in vain."""
    operations = evidence.pasts.operations
    joins = (each.first.object for each in operations.all if each.first.operation == Act.JOIN)  # it has not ended
    return thread == 0 or any(operations.thread_of.get(each or -1) == thread for each in joins)


def _of(
    wait: SyncOperation, call: Wait, reads: DecidingReads, used: Collection[SyncOperation], trace: Trace
) -> Iterator[PassedOver]:
    events, first = trace.events, wait.first
    ended = {each.thread for each in trace.threads if each.ended}
    for asked in call.guard:
        for check in reads.before(first, asked):
            changes = [events[place] for place in reads.writes(check.location)]
            last = changes[-1] if changes else None
            if last is None or last.earliest <= first.seq or not reads.undoes(last, asked, check):
                continue
            if any(each is not last and each.seq >= last.earliest for each in changes):
                continue
            notified = [
                each
                for each in used
                if each.first.operation == Act.NOTIFY and each.first.object == first.object and each.done
                if each.first.seq > last.seq and each.first.site is not None
            ]
            went_on = {
                each.first.thread
                for each in used
                if each.first.operation == Act.WAIT and each.first.object == first.object
                if each.last is not None and each.last.seq > last.seq
            }
            if notified and went_on <= ended and first.object is not None:
                yield PassedOver(first.object, check.location, check.seq, first.seq, last.seq, notified[0].first.seq)
