"""The definition of a lost update, word by word (docs/glossary.md), as slow as it likes: the oracle of the fast one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from opcodetrace.trace.event import ABSENT, Event, EventKind


class Version(NamedTuple):
    write: Event | None  # None: what was there before, and an unseen write
    source: int | None  # the version whose value flows in
    settles: bool  # it settles the version before it


class Verdict(NamedTuple):
    lost: dict[int, int]  # each lost write's seq: the seq of the write that overwrote it
    unseen: list[int]  # reads that returned another value than their version's


def versions(events: Sequence[Event], sources: Mapping[int, int]) -> tuple[list[Version], list[int]]:
    made = [Version(None, None, False)]
    unseen = []
    value: object = ABSENT
    of_event: dict[int, int] = {}
    for event in events:
        if event.kind == EventKind.READ:
            if event.value is not ABSENT:
                if value is not ABSENT and repr(value) != repr(event.value):
                    unseen.append(event.seq)
                    made.append(Version(None, None, True))
                value = event.value
        else:
            source = of_event.get(sources.get(event.seq, -1))
            blind = event.seq not in sources
            made.append(Version(event, source, blind or event.kind == EventKind.DELETE))
            value = event.value
        of_event[event.seq] = len(made) - 1
    return made, unseen


def chain(made: Sequence[Version], version: int | None) -> list[int]:
    """A version, its source, the source's source ..."""
    found = []
    while version is not None:
        found.append(version)
        version = made[version].source
    return found


def verdict(events: Sequence[Event], sources: Mapping[int, int]) -> Verdict:
    made, unseen = versions(events, sources)
    last = len(made) - 1
    settled = [v for v in range(len(made)) if v == last or made[v + 1].settles]
    ancestors = {ancestor for v in settled for ancestor in chain(made, v)}
    lost = {}
    for v, version in enumerate(made):
        if version.write is not None and v not in ancestors:
            next_settled = min(s for s in settled if s > v)
            over = made[min(w for w in chain(made, next_settled) if w > v)].write
            assert over is not None
            lost[version.write.seq] = over.seq
    return Verdict(lost, unseen)


def changed_something(seq: int, events: Sequence[Event], sources: Mapping[int, int]) -> bool:
    """Whether a write wrote another value than that which it was made of."""
    values = {event.seq: event.value for event in events}
    return values[seq] is ABSENT or repr(values[seq]) != repr(values.get(sources.get(seq, -1), ABSENT))


def by_another(seq: int, events: Sequence[Event], sources: Mapping[int, int]) -> bool:
    """Whether a write was not overwritten by its own thread, with what that had read before, while no other thread
    wrote."""
    (thread,) = (event.thread for event in events if event.seq == seq)
    for over in events:
        if over.kind != EventKind.READ and over.thread == thread and sources.get(over.seq, seq) < seq < over.seq:
            since = [event for event in events if sources[over.seq] < event.seq < over.seq]
            if all(event.thread == thread for event in since if event.kind != EventKind.READ):
                return False
    return True


def linearisations(events: Sequence[Event]) -> Iterator[list[Event]]:
    """All orders that agree with the intervals, with each thread's own order and with the values read."""

    def extend(done: list[Event], left: list[Event], value: object) -> Iterator[list[Event]]:
        if not left:
            yield list(done)
        for event in left:
            if any(
                other.seq < event.earliest or (other.thread == event.thread and other.seq < event.seq) for other in left
            ):
                continue
            after: object = event.value
            if event.kind == EventKind.READ:
                if event.value is ABSENT:
                    after = value
                elif value is not ABSENT and repr(value) != repr(event.value):
                    continue
            yield from extend([*done, event], [other for other in left if other is not event], after)

    return extend([], sorted(events), ABSENT)


def lost_counts(events: Sequence[Event], sources: Mapping[int, int]) -> set[int]:
    """How many updates are lost in each consistent order."""
    return {len(verdict(order, sources).lost) for order in linearisations(events)}
