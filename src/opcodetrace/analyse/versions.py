"""The versions of one location in a given order: which are settled, which are lost (docs/glossary.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import pack

from opcodetrace.trace.event import ABSENT, Event, EventKind, Opaque, Value, is_unknown
from opcodetrace.trace.finding import Certainty, Severity
from opcodetrace.trace.version import LostUpdate, UnseenWrite


@dataclass(frozen=True, slots=True)
class Lost:
    """What one order of a location's accesses shows."""

    updates: list[LostUpdate]  # in the order of the lost writes
    overwriters: int  # distinct writes that overwrote
    unseen: list[UnseenWrite]


def same_value(one: Value, other: Value) -> bool:
    """Whether a read of `other` may return `one`: type and value, floats by their bits (1 is not True, NaN is NaN). Of
    objects it counts which one it is. If that is unknown, any may be any other."""
    if isinstance(one, Opaque) and isinstance(other, Opaque):
        return one.identity == other.identity or one.identity is None or other.identity is None
    if type(one) is not type(other):
        return False
    if isinstance(one, float) and isinstance(other, float):
        return pack("<d", one) == pack("<d", other)
    return one == other


def unchanging(events: Sequence[Event], sources: Mapping[int, int]) -> set[int]:
    """The writes (their seqs) that put back the very value that they were made of: nothing of them can be lost.

    An object is put back only if the location held it all the time, in the order of `events`: a string or list that was
    out of it may have been changed, or grown in place, meanwhile."""
    values: dict[int, Value] = {}
    since: dict[int, int] = {}  # seq: when the location was given the object that it then had
    found = set()
    held: Value = ABSENT
    begun = -1
    for event in events:
        value = event.value
        if is_unknown(value) and event.kind == EventKind.READ:
            value = held  # unknown; a write of nothing known, or a deletion, ends what was held
        if value is ABSENT or not same_value(value, held):
            held, begun = value, event.seq
        values[event.seq], since[event.seq] = event.value, begun
        source = sources.get(event.seq, -1)
        if (
            event.kind != EventKind.WRITE
            or event.value is ABSENT
            or not same_value(event.value, values.get(source, ABSENT))
        ):
            continue
        if not isinstance(event.value, Opaque) or since.get(source) == begun:
            found.add(event.seq)
    return found


def without(writes: set[int], lost: Lost) -> Lost:
    """The lost updates except these."""
    updates = [update for update in lost.updates if update.lost not in writes]
    return Lost(updates, len({update.overwritten_by for update in updates}), lost.unseen)


def lost_updates(
    location: int,
    events: Sequence[Event],
    sources: Mapping[int, int],
    certainties: Mapping[int, Certainty],
    order_known: bool = True,
) -> Lost:
    """The lost updates of `location`, whose accesses happened in the order of `events`; time is linear.

    Version 0 is what was there before. An unseen write makes a version too: blind, and never itself reported."""
    version = 0
    value: Value = ABSENT  # unknown until a read shows it
    parents = [-1]  # the version of each version's source
    writers: list[Event | None] = [None]
    settled: list[int] = []
    seen: dict[int, int] = {}  # the version that an event saw or made, by its seq
    unseen: list[UnseenWrite] = []
    read, delete = int(EventKind.READ), int(EventKind.DELETE)

    for event in events:
        seq, _, _, _, kind, _, what, _ = event
        if kind == read:
            if what is not value and not is_unknown(what):
                if value is not ABSENT and not same_value(what, value):
                    unseen.append(UnseenWrite(location, seq))
                    settled.append(version)
                    version += 1
                    parents.append(-1)
                    writers.append(None)
                value = what
            seen[seq] = version
        else:
            if seq in sources:
                parents.append(seen.get(sources[seq], -1))
                if kind == delete:
                    settled.append(version)
            else:
                parents.append(-1)
                settled.append(version)
            version += 1
            writers.append(event)
            seen[seq] = version
            value = what
    settled.append(version)

    kept = bytearray(version + 1)
    for ancestor in settled:
        while ancestor >= 0 and not kept[ancestor]:
            kept[ancestor] = 1
            ancestor = parents[ancestor]

    updates: list[LostUpdate] = []
    overwriters = 0
    if kept.count(0):
        reads = {event.seq for event in events if event.kind == read}
        floor = 0  # version 0 was not written
        for ceiling in settled:
            if kept.find(0, floor + 1, ceiling) < 0:
                floor = ceiling
                continue
            # Down the chain of the next settled version, `over` is its first version later than `version`.
            rows: list[LostUpdate] = []
            over, below = ceiling, parents[ceiling]
            counted = -1
            for version in range(ceiling - 1, floor, -1):
                if version == below:
                    over, below = version, parents[version]
                    continue
                write, by = writers[version], writers[over]
                if kept[version] or write is None or by is None:
                    continue
                if over != counted:
                    counted = over
                    overwriters += 1
                inferred = Certainty.INFERRED in (certainties.get(write.seq), certainties.get(by.seq))
                surely = order_known and not unseen
                own, stale = sources.get(write.seq), sources.get(by.seq)
                rows.append(
                    LostUpdate(
                        location=location,
                        lost=write.seq,
                        lost_thread=write.thread,
                        source_read=own if own in reads else None,
                        overwritten_by=by.seq,
                        overwritten_by_thread=by.thread,
                        read=stale if stale in reads else None,
                        certainty=Certainty.INFERRED if inferred else Certainty.PROVEN,
                        severity=Severity.HAPPENED if surely else Severity.POSSIBLE,
                    )
                )
            updates.extend(reversed(rows))
            floor = ceiling
    return Lost(updates, overwriters, unseen)
