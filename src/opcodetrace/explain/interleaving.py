"""The interleaving of a finding, as the steps that a person reads."""

from __future__ import annotations

import ast
import bisect
import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from opcodetrace.analyse.happens_before import Operations
from opcodetrace.trace.event import ABSENT, Event, EventKind, Value
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import Interleaving
from opcodetrace.trace.report_step import ORIGIN, AccessStep, ComputeStep, FoldStep, Lane, Step, SwitchStep, SyncStep
from opcodetrace.trace.run import Thread
from opcodetrace.trace.source_text import parsed
from opcodetrace.trace.stored import StoredSite
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import GIVES, OF_THREADS, Synchronisation, SyncObject

MAX_EXTRA = 8  # other accesses of the location that are all shown; more are folded ...
MAX_EXTRA_IN_GAP = 2  # ... except so many between two steps that are shown
MAX_TOLD_APART = 2_000  # folded accesses of the location that are read, to tell reads from writes and by whom
MAX_SWITCHES_SPAN = 20_000  # seqs between two steps within which all switches are read
COMPUTE_SPAN = 2_000  # seqs between a read and its write within which recorded operations are looked for
MAX_COMPUTATIONS = 3  # recorded operations between them that are shown; of more, none is
MAX_SYNC_IN_GAP = 5  # steps of synchronisation between two accesses that are shown; of more, the first and last
MAX_AROUND = 64  # seqs before and after a hand-over in which its locks are looked for
ORIGIN_SPAN = 1 << 18  # seqs before the first step in which its origin is looked for

MIN_ALIKE = 3  # turns in a row that do the same, from which on only the first one is shown

SHOWN = (AccessStep, ComputeStep)
ACCESSES = frozenset({EventKind.READ, EventKind.WRITE, EventKind.DELETE})
WRITES = frozenset({EventKind.WRITE, EventKind.DELETE})


class EventSource(Protocol):
    """The stored events of a run, by range of seq, both ends included."""

    def events(self, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]: ...

    def count_events(self, first: int, last: int, locations: Collection[int] | None = None) -> int: ...

    def switches(self, first: int, last: int) -> list[Switch]: ...

    def stack(self, seq: int) -> list[int]: ...


class SyncSteps:
    """What the threads of a run did to wait for each other, as steps."""

    def __init__(
        self, operations: Operations, objects: Mapping[int, SyncObject], sites: Mapping[int, StoredSite]
    ) -> None:
        self._operations = operations
        self._objects = objects
        self._sites = sites
        self._led_to = [operation for operation in operations.all if operation.first.site is not None]
        self._firsts = [operation.first.seq for operation in self._led_to]
        # those that took longer than one record: an earlier one may reach into a range
        self._long = [
            operation
            for operation in self._led_to
            if operation.last is not None and operation.last is not operation.first
        ]
        self._thread_of = {each.seq: each.thread for each in operations.outermost()}
        self._ends = sorted((operation.last.seq, operation.first.seq) for operation in self._long if operation.last)

    def between(
        self, first: int, last: int, threads: Collection[int], busy: Sequence[tuple[int, int]]
    ) -> list[SyncStep]:
        """The steps of some threads from `first` to `last`, in order. `busy`: seq and thread of what else is shown.

        An operation is one step, except if it waits while another thread does something that is shown."""
        begun = range(bisect.bisect_left(self._firsts, first), bisect.bisect_right(self._firsts, last))
        found = {self._firsts[place]: self._led_to[place] for place in begun}
        for place in range(bisect.bisect_left(self._ends, (first, 0)), len(self._ends)):
            until, start = self._ends[place]
            if until > last:
                break
            found.setdefault(start, self._led_to[bisect.bisect_left(self._firsts, start)])
        steps: list[SyncStep] = []
        mine = [operation for operation in found.values() if operation.first.thread in threads]
        active = sorted([*busy, *((each.first.seq, each.first.thread) for each in mine)])
        for operation in mine:
            begin, end = operation.first, operation.last
            if end is begin and begin.earliest < begin.seq and (begin.holder, begin.woken_by) != (None, None):
                # an RLock's wait is told only when it is over; it began after the record before `earliest`
                begin = begin._replace(seq=begin.earliest - 1, begins=True, waited=None, woken_by=None)
            if end is None or end is begin:
                steps.append(self._step(begin, begin))
            elif begin.operation in GIVES and end.woken_by is None:
                steps.append(self._step(begin, end))
            else:
                place = bisect.bisect_right(active, (begin.seq, begin.thread))
                others = (thread != begin.thread for seq, thread in active[place : place + 64] if seq < end.seq)
                if any(others) or end.seq > last:
                    steps.append(self._step(begin, begin))
                steps.append(self._step(end, end))
        return sorted((step for step in steps if first <= step.seq <= last), key=lambda step: step.seq)

    def threads_of(self, seqs: Iterable[int]) -> set[int]:
        """The threads of those that are seqs of synchronisation."""
        return {self._thread_of[seq] for seq in seqs if seq in self._thread_of}

    def _step(self, at: Synchronisation, result: Synchronisation) -> SyncStep:
        other = None
        if at.operation in OF_THREADS and at.object is not None:
            other = self._operations.thread_of.get(at.object, at.holder)
        waits = result.holder is not None or result.woken_by is not None
        return SyncStep(
            seq=at.seq,
            thread=at.thread,
            operation=at.operation,
            object=None if at.object is None else self._objects.get(at.object),
            begins=bool(result.begins),
            failed=bool(result.failed),
            waited=result.waited if waits and at.operation not in GIVES else None,
            holder=result.holder,
            woken_by=result.woken_by,
            other=other,
            site=None if at.site is None else self._sites.get(at.site),
        )


def lanes_of(threads: Iterable[Thread]) -> tuple[Lane, ...]:
    """A lane for each thread, with a name that belongs to it alone."""
    threads = list(threads)
    titles = {thread.thread: thread.name or f"thread {thread.thread}" for thread in threads}
    task_of = {thread.thread: thread.task_of for thread in threads}
    short = {number: title.partition(" (")[0] or title for number, title in titles.items()}
    of_short = Counter(short.values())
    of_title = Counter(titles.values())
    lanes = []
    for number, title in titles.items():
        if of_title[title] > 1:
            name, title = f"{short[number]}/{number}", f"{title}/{number}"
        else:
            name = short[number] if of_short[short[number]] == 1 else title
        lanes.append(Lane(number, name, title, task_of[number]))
    return tuple(lanes)


def interleave(
    finding: Finding,
    kind: FindingKind,
    location: Location | None,
    recording: EventSource,
    sites: Mapping[int, StoredSite],
    lanes: Mapping[int, Lane],
    free_threaded: bool = False,
    synchronised: SyncSteps | None = None,
) -> Interleaving:
    """The steps of a finding that is told of `location`, with what does not matter folded."""
    cells = [] if location is None else [location.id]
    is_whole = location is not None and location.kind is LocationKind.WHOLE
    roles = {finding.roles[role.name]: role.name for role in kind.roles if role.name in finding.roles}
    events = {seq: event for seq in roles if (event := _event_at(recording, seq)) is not None}
    first, last = min(roles), max(roles)
    flows = _flows(finding, kind, events)
    same_version = _same_version([read for _, read in flows], events, cells, recording)
    origin = _origin(first, cells, events, recording)
    if origin is not None:
        roles[origin.seq] = ORIGIN
        events[origin.seq] = origin
    for event in _extra(events, first, last, cells, recording):
        events.setdefault(event.seq, event)
    order = _order([*events.values(), *_computations(flows, events, recording)], finding, kind)
    operands = {} if _is_guessed(finding) else {write: events[read].value for write, read in flows}
    taking_part = {event.thread for event in order if roles.get(event.seq) != ORIGIN}
    taking_part |= set() if synchronised is None else synchronised.threads_of(roles)
    making = _Steps(cells, recording, sites, roles, operands, free_threaded, is_whole)
    steps = _fold_alike(making.steps(making.with_synchronisation(order, first, last, taking_part, synchronised)))
    folded = {thread for step in steps if isinstance(step, FoldStep) and step.alike for thread in step.threads}
    acting = {step.thread for step in steps if isinstance(step, (*SHOWN, SyncStep)) and not _is_origin(step)}
    return Interleaving(
        label="" if location is None else location.label,
        lanes=tuple(lanes[thread] for thread in sorted(taking_part - (folded - acting))),
        steps=tuple(steps),
        same_version=same_version,
        stacks={
            role.name: stack
            for role in kind.roles
            if role.groups
            and role.name in finding.roles
            and (stack := tuple(sites[site] for site in recording.stack(finding.roles[role.name]) if site in sites))
        },
    )


def _is_origin(step: Step) -> bool:
    return isinstance(step, AccessStep) and step.role == ORIGIN


@dataclass(slots=True)
class _Turn:
    """What a thread does until another one does something that is shown."""

    first: int  # its place among the steps
    last: int
    thread: int
    does: tuple[object, ...]  # the same of turns that are alike; () if one of its steps plays a role


def _turns(steps: Sequence[Step]) -> Iterator[_Turn]:
    turn: _Turn | None = None
    for place, step in enumerate(steps):
        if not isinstance(step, (*SHOWN, SyncStep)):
            continue
        plain = isinstance(step, SHOWN) and not (isinstance(step, AccessStep) and step.role is not None)
        does = (type(step), step.site, step.kind if isinstance(step, AccessStep) else None) if plain else None
        if turn is not None and turn.thread == step.thread and place == turn.last + 1 and not _is_origin(step):
            turn.last = place
            turn.does = (*turn.does, does) if turn.does and does else ()
            continue
        if turn is not None:
            yield turn
        turn = _Turn(place, place, step.thread, (does,) if does else ())
    if turn is not None:
        yield turn


def _fold_alike(steps: Sequence[Step]) -> list[Step]:
    """The steps, but of several turns in a row that do the same at the same places only the first."""
    folded: list[Step] = []
    reached = 0
    for _, group in itertools.groupby(_turns(steps), key=lambda turn: turn.does or turn.first):
        alike = list(group)
        if len(alike) < MIN_ALIKE or not alike[0].does:
            continue
        gap = steps[alike[0].last + 1 : alike[-1].last + 1]
        accesses = [step for step in gap if isinstance(step, AccessStep)]
        folds = [step for step in gap if isinstance(step, FoldStep)]
        reads = sum(step.kind == EventKind.READ for step in accesses)
        folded += steps[reached : alike[0].last + 1]
        folded.append(
            FoldStep(
                seq=gap[0].seq,
                reads=reads + sum(fold.reads for fold in folds),
                writes=len(accesses) - reads + sum(fold.writes for fold in folds),
                accesses=sum(fold.accesses for fold in folds),
                elsewhere=sum(fold.elsewhere for fold in folds),
                switches=sum(isinstance(step, SwitchStep) for step in gap) + sum(fold.switches for fold in folds),
                threads=tuple(dict.fromkeys(turn.thread for turn in alike[1:])),
                synchronisation=sum(fold.synchronisation for fold in folds),
                alike=True,
            )
        )
        reached = alike[-1].last + 1
    return [*folded, *steps[reached:]]


def _is_guessed(finding: Finding) -> bool:
    """Whether it is not proven which read flows into a write."""
    return finding.severity is Severity.HAPPENED and finding.certainty is not Certainty.PROVEN


def hand_over(
    one: Update,
    other: Update,
    location: Location,
    recording: EventSource,
    sites: Mapping[int, StoredSite],
    lanes: Mapping[int, Lane],
    synchronised: SyncSteps,
    free_threaded: bool = False,
    held: tuple[int, int] | None = None,
) -> Interleaving:
    """How one thread's update followed another's, with what the two threads did to wait for each other.

    `held` gives two seqs: at the first, thread `one` got the lock that kept them apart; at the second, `other`
    released it."""
    cells = [location.id]
    seqs = dict.fromkeys((one.began, one.seq, other.began, other.seq))
    events = {seq: event for seq in seqs if (event := _event_at(recording, seq)) is not None}
    threads = {one.thread, other.thread}
    first, last = (one.began, other.seq) if held is None else held
    if held is None:
        before = synchronised.between(first - MAX_AROUND, first - 1, {one.thread}, ())
        first = next((step.seq for step in reversed(before) if step.operation not in GIVES), first)
        after = synchronised.between(last + 1, last + MAX_AROUND, {other.thread}, ())
        last = next((step.seq for step in after if step.operation in GIVES), last)
    for event in _extra(events, one.began, other.seq, cells, recording):
        if event.thread in threads:
            events.setdefault(event.seq, event)
    order = sorted(events.values(), key=lambda event: event.seq)
    making = _Steps(cells, recording, sites, {}, {}, free_threaded, location.kind is LocationKind.WHOLE)
    return Interleaving(
        label=location.label,
        lanes=tuple(lanes[thread] for thread in sorted(threads)),
        steps=tuple(making.steps(making.with_synchronisation(order, first, last, threads, synchronised))),
    )


def _event_at(recording: EventSource, seq: int) -> Event | None:
    return next((event for event in recording.events(seq, seq) if event.kind in ACCESSES), None)


def _flows(finding: Finding, kind: FindingKind, events: Mapping[int, Event]) -> list[tuple[int, int]]:
    """The writes that play a role, each with the read that flows into it."""
    pairs = []
    for role in kind.roles:
        read, write = finding.roles.get(role.name), finding.roles.get(role.flows_into or "")
        if read in events and write in events and read is not None and write is not None:
            pairs.append((write, read))
    return pairs


def _same_version(
    reads: Sequence[int], events: Mapping[int, Event], cells: Collection[int], recording: EventSource
) -> bool:
    """Whether several updates began with a read of one and the same version."""
    if len(reads) < 2 or any(events[read].value != events[reads[0]].value for read in reads):
        return False
    first, last = min(reads), max(reads)
    if recording.count_events(first, last, cells) > MAX_TOLD_APART:
        return False
    return not any(event.kind in WRITES for event in recording.events(first, last, cells))


def _origin(first: int, cells: Collection[int], events: Mapping[int, Event], recording: EventSource) -> Event | None:
    """The write that made the version which the first step reads."""
    if first not in events or events[first].kind != EventKind.READ:
        return None
    reach = 256
    end = first - 1
    while end >= 0 and reach <= ORIGIN_SPAN:
        start = max(0, end - reach)
        writes = [event for event in recording.events(start, end, cells) if event.kind in WRITES]
        if writes:
            return writes[-1] if writes[-1].value == events[first].value else None
        end, reach = start - 1, reach * 4
    return None


def _extra(
    events: Mapping[int, Event], first: int, last: int, cells: Collection[int], recording: EventSource
) -> Iterator[Event]:
    """Other accesses of the location between the first and the last step: all of a few, else those of small gaps."""
    if recording.count_events(first, last, cells) <= len(events) + MAX_EXTRA:
        yield from _accesses(recording.events(first, last, cells))
        return
    shown = sorted(seq for seq in events if seq >= first)
    for before, after in itertools.pairwise(shown):
        if 0 < recording.count_events(before + 1, after - 1, cells) <= MAX_EXTRA_IN_GAP:
            yield from _accesses(recording.events(before + 1, after - 1, cells))


def _accesses(events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if event.kind in ACCESSES)


def _computations(
    flows: Iterable[tuple[int, int]], events: Mapping[int, Event], recording: EventSource
) -> Iterator[Event]:
    """What was recorded of the operations between the reads and the writes that they flow into."""
    for write, read in flows:
        if not 0 < write - read <= COMPUTE_SPAN:
            continue
        by = events[write]
        computations = [
            event
            for event in recording.events(read + 1, write - 1)
            if event.kind == EventKind.COMPUTE and event.thread == by.thread and event.frame == by.frame
        ]
        if len(computations) <= MAX_COMPUTATIONS:
            yield from computations


def _order(events: Iterable[Event], finding: Finding, kind: FindingKind) -> list[Event]:
    """The order shown. Intervals leave some room: the kind says which roles come before its pivot, and which after."""
    if not kind.in_order:
        return sorted(events, key=lambda event: event.seq)
    shown = list(events)
    names = [role.name for role in kind.roles]
    place_of = names.index(kind.pivot)
    pivot = next((event for event in shown if event.seq == finding.roles.get(kind.pivot)), None)
    before = {finding.roles[name] for name in names[:place_of] if name in finding.roles}
    after = {finding.roles[name] for name in names[place_of + 1 :] if name in finding.roles}

    def place(event: Event) -> tuple[float, int]:
        if pivot is not None and event.seq in before and event.earliest <= pivot.seq < event.seq:
            return pivot.seq - 0.5, event.seq
        if pivot is not None and event.seq in after and pivot.earliest <= event.seq < pivot.seq:
            return pivot.seq + 0.5, event.seq
        return event.seq, event.seq

    return sorted(shown, key=place)


@dataclass(slots=True)
class _Steps:
    """Turns the events to show into steps, with the switches and folds between them."""

    cells: Collection[int]  # the location, if it is about one
    recording: EventSource
    sites: Mapping[int, StoredSite]
    roles: Mapping[int, str]
    operands: Mapping[int, Value]
    free_threaded: bool
    is_whole: bool  # the location is a container as a whole
    shown: list[Event] = field(default_factory=list)
    untold: list[int] = field(default_factory=list)  # seqs of synchronisation that is not shown
    reached: int = -1  # the greatest seq gone past; the order shown need not be that of the seqs

    def with_synchronisation(
        self, order: Sequence[Event], first: int, last: int, threads: Collection[int], synchronised: SyncSteps | None
    ) -> list[Event | SyncStep]:
        """The events to show, and between them what the threads did to wait for each other, or the most of it."""
        if synchronised is None:
            return list(order)
        busy = [(event.seq, event.thread) for event in order]
        steps = [
            replace(step, role=self.roles[step.seq]) if step.seq in self.roles else step
            for step in synchronised.between(first, last, threads, busy)
        ]
        merged: list[Event | SyncStep] = []
        for event in (*order, None):
            if event is None:
                gap, steps = steps, []
            elif self.roles.get(event.seq) == ORIGIN:
                gap = []
            else:
                place = next((place for place, step in enumerate(steps) if step.seq >= event.seq), len(steps))
                gap, steps = steps[:place], steps[place:]
            merged += self._some(gap)
            if event is not None:
                merged.append(event)
        return merged

    def _some(self, gap: Sequence[SyncStep]) -> Iterator[SyncStep]:
        """Those that play roles, and of those between them all of a few, else the first and the last."""
        for plays, group in itertools.groupby(gap, key=lambda step: step.role is not None):
            steps = list(group)
            if len(steps) > MAX_SYNC_IN_GAP and not plays:
                head = MAX_SYNC_IN_GAP // 2
                tail = len(steps) - (MAX_SYNC_IN_GAP - head)
                self.untold += [step.seq for step in steps[head:tail]]
                steps = steps[:head] + steps[tail:]
            yield from steps

    def steps(self, order: Sequence[Event | SyncStep]) -> list[Step]:
        """All steps, for what is shown in the order shown."""
        events = [event for event in order if isinstance(event, Event)]
        self.shown = [event for event in events if event.kind in ACCESSES]
        steps: list[Step] = []
        last_of_lane: dict[int, Event] = {}
        for index, event in enumerate(order):
            if index and self.roles.get(order[index - 1].seq) != ORIGIN:
                steps += self._between(order[index - 1], event)
            if isinstance(event, SyncStep):
                steps.append(event)
                continue
            before = last_of_lane.get(event.thread)
            last_of_lane[event.thread] = event
            continues = _continues(before, event, self.sites)
            if event.kind == EventKind.COMPUTE:
                steps.append(self._computed(event, continues))
                continue
            if self.roles.get(event.seq) != ORIGIN and self._computed_meanwhile(before, event):
                steps.append(self._computed(event, continues))
                continues = True
            steps.append(
                AccessStep(
                    seq=event.seq,
                    earliest=event.earliest,
                    thread=event.thread,
                    kind=EventKind(event.kind),
                    site=self.sites[event.site],
                    value=event.value,
                    role=self.roles.get(event.seq),
                    unordered=any(_overlap(event, other) for other in events),
                    continues=continues,
                    whole=self._is_of_whole(event),
                )
            )
        return steps

    def _is_of_whole(self, event: Event) -> bool:
        """Whether it is told of the container as a whole: how many items it has changes by each that is put in."""
        return self.is_whole and (event.location in self.cells or event.kind != EventKind.READ)

    def _computed(self, event: Event, continues: bool) -> ComputeStep:
        """What an operation gave: recorded as such, or known from the write that stored it as it was."""
        site = self.sites[event.site]
        operand = self.operands.get(event.seq, ABSENT)
        return ComputeStep(
            event.seq, event.thread, site, site.computed or site.operation, event.value, operand, continues
        )

    def _computed_meanwhile(self, before: Event | None, event: Event) -> bool:
        """Whether a write stored, as it was, what its own line computed after the thread was last suspended.

        That is so if it was suspended on another line, or not at all since its step before."""
        site = self.sites[event.site]
        if event.kind != EventKind.WRITE or event.value is ABSENT or not _computes(site):
            return False
        if self.free_threaded:
            return True
        since = event.seq - MAX_SWITCHES_SPAN if before is None else before.seq
        if event.seq - since > MAX_SWITCHES_SPAN:
            return False
        away = [each for each in self.recording.switches(since, event.seq) if each.from_thread == event.thread]
        return _elsewhere(away[-1], site) if away else before is not None

    def _between(self, before: Event | SyncStep, after: Event | SyncStep) -> Iterator[Step]:
        """The switches between two steps that explain the change of thread, and folds for the rest."""
        first, last = max(before.seq, self.reached) + 1, after.seq
        self.reached = max(self.reached, after.seq)
        switches = [] if self.free_threaded or first > last else self._switches(first, last)
        if before.thread == after.thread:
            yield from self._fold(first, last - 1, switches)
            return
        if not switches:
            yield from self._fold(first, last - 1, [])
        if not switches and not self.free_threaded:
            yield SwitchStep(Switch(after.seq, before.thread, after.thread, None, None, None), recorded=False)
        if not switches:
            return
        yield from self._fold(first, switches[0].seq - 1, [])
        yield self._switch(switches[0])
        if len(switches) > 1:
            yield from self._fold(switches[0].seq + 1, switches[-1].seq - 1, switches[1:-1])
            yield self._switch(switches[-1])
        yield from self._fold(switches[-1].seq + 1, last - 1, [])

    def _switch(self, switch: Switch) -> SwitchStep:
        """A switch, with the file that the outgoing thread stood in, if that is beyond doubt."""
        place = switch.place
        if place is None:
            return SwitchStep(switch)
        where = (place.function, place.line, place.opcode, place.expression)
        paths = {
            site.path
            for site in self.sites.values()
            if (site.function, site.line, site.opcode, site.expression) == where
        }
        return SwitchStep(switch, paths.pop() if len(paths) == 1 else None)

    def _switches(self, first: int, last: int) -> list[Switch]:
        """The switches in a range; of a long one those near its ends."""
        if last - first <= MAX_SWITCHES_SPAN:
            return self.recording.switches(first, last)
        reach = 256
        head: list[Switch] = []
        while not head and reach < last - first:
            head = self.recording.switches(first, first + reach)
            reach *= 4
        reach = 256
        tail: list[Switch] = []
        while not tail and reach < last - first:
            tail = self.recording.switches(last - reach, last)
            reach *= 4
        return head[:1] + [switch for switch in tail[-1:] if switch not in head[:1]]

    def _fold(self, first: int, last: int, switches: Sequence[Switch]) -> Iterator[FoldStep]:
        """One fold for what lies in a range, if anything does."""
        if first > last:
            return
        shown = {event.seq for event in self.shown if first <= event.seq <= last}
        here = self.recording.count_events(first, last, self.cells) - len(shown)
        elsewhere = self.recording.count_events(first, last) - len(shown) - here
        untold = sum(first <= seq <= last for seq in self.untold)
        if not here and not elsewhere and not switches and not untold:
            return
        fold = FoldStep(seq=first, elsewhere=elsewhere, switches=len(switches), synchronisation=untold)
        if here > MAX_TOLD_APART:
            fold = replace(fold, accesses=here)
        elif here:
            events = _accesses(self.recording.events(first, last, self.cells))
            folded = [event for event in events if event.seq not in shown]
            reads = sum(event.kind == EventKind.READ for event in folded)
            threads = tuple(sorted({event.thread for event in folded}))
            fold = replace(fold, reads=reads, writes=len(folded) - reads, threads=threads)
        yield fold


def _continues(before: Event | None, event: Event, sites: Mapping[int, StoredSite]) -> bool:
    """Whether an access belongs to the same pass of the same line as its lane's access before it."""
    if before is None or before.frame != event.frame or before.kind in WRITES:
        return False
    one, other = sites[before.site], sites[event.site]
    return one.path == other.path and one.line == other.line and before.site != event.site


def _overlap(one: Event, other: Event) -> bool:
    """Whether the intervals of two threads' accesses overlap, so that either may have come first."""
    if one.thread == other.thread or other.kind == EventKind.COMPUTE:
        return False
    return one.earliest <= other.seq and other.earliest <= one.seq


def _computes(site: StoredSite) -> bool:
    """Whether the line of a write is one assignment of an operation's result."""
    if site.computed is None or site.line != site.end_line:
        return False
    match parsed(site.source_line):
        case [ast.AugAssign()] | [ast.Assign(value=ast.BinOp())] | [ast.AnnAssign(value=ast.BinOp())]:
            return True
        case _:
            return False


def _elsewhere(switch: Switch, site: StoredSite) -> bool:
    """Whether a thread was surely suspended on another line of the same function."""
    stood = [(each.function, each.line) for each in switch.awaited_by]
    if switch.place is not None:
        stood.append((switch.place.function, switch.place.line))
    lines = [line for function, line in stood if function == site.function]
    return len(lines) == 1 and lines[0] not in (None, site.line)
