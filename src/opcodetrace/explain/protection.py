"""Why nothing went wrong at a location: locks held, orders by what threads wait for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from opcodetrace.analyse.happens_before import Operations, orders
from opcodetrace.analyse.lock_order import signals
from opcodetrace.analyse.lockset import Held, Judge, holding, locksets, tightest
from opcodetrace.explain.interleaving import SyncSteps, hand_over
from opcodetrace.store.database import Database
from opcodetrace.store.stored_value import MAX_INTEGER
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.finding import Finding, FindingGroup
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.location import Location, without_number
from opcodetrace.trace.protection import Doubt, HeldElsewhere, Holding, Update, Verdict, Why
from opcodetrace.trace.report_model import Interleaving, Protected
from opcodetrace.trace.report_step import Lane
from opcodetrace.trace.run import Thread
from opcodetrace.trace.stored import StoredRun, StoredSite
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import Synchronisation

MAX_ACCESSES = 100_000  # of a location of which it is said which lock is held elsewhere
MAX_CELLS = 1_000  # locations of which it is looked for
MAX_UPDATES = 1_000_000  # writes of those that are looked at
MAX_SYNCHRONISATION = 1_000_000  # rows; of a run with more, none is told


@dataclass(frozen=True, slots=True)
class RunEvents:
    """The stored events of one run, as the analysis asks for them: piece by piece."""

    database: Database
    run: int

    def events(self, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        return self.database.events(self.run, first, last, locations)

    def count_events(self, first: int, last: int, locations: Collection[int] | None = None) -> int:
        return self.database.count_events(self.run, first, last, locations)

    def stack(self, seq: int) -> list[int]:
        return self.database.stack(self.run, seq)

    def switches(self, first: int, last: int) -> list[Switch]:
        return self.database.switches(self.run, first, last)


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What the threads of a stored run did to wait for each other, and what follows from that."""

    steps: SyncSteps
    judge: Judge
    owned: Sequence[Held]  # locks, without those that are signals: a thread waits by such a one, and does not hold it
    run: StoredRun
    sites: Mapping[int, StoredSite]
    started_at: Mapping[int, StoredSite]  # by thread: the call that led to its start

    @classmethod
    def of(
        cls, database: Database, run: StoredRun, sites: Mapping[int, StoredSite], threads: Collection[Thread]
    ) -> Synchronised | None:
        """None if there is too much of it."""
        if database.count_synchronisation(run.id) > MAX_SYNCHRONISATION:
            return None

        def waits_to_the_end(join: Synchronisation) -> bool:
            site = None if join.site is None else sites.get(join.site)
            return site is not None and (site.expression or "").endswith(".join()")

        rows, objects = database.synchronisation(run.id), database.sync_objects(run.id)
        operations = Operations(rows)
        ordered = orders(
            rows, operations, objects, threads, begun=not run.let_go, free_threaded=not run.info.gil,
            waits_to_the_end=waits_to_the_end,
        )  # fmt: skip
        judge = Judge(rows, objects, operations, ordered, threads)
        starts = ((each.started, each.site) for each in rows if each.started is not None and each.site is not None)
        started_at = {thread: sites[site] for thread, site in starts if site in sites}
        no_locks = signals(rows, objects)
        owned = [each for each in judge.locks if each.object not in no_locks]
        return cls(SyncSteps(operations, objects, sites), judge, owned, run, sites, started_at)

    def held(self, finding: Finding, kind: FindingKind, threads: Mapping[int, int]) -> tuple[Holding, ...]:
        """The locks that each thread of a finding held, from its first step in it to its last.

        The threads come in the order of their roles, those that group findings first. None if no synchronisation was
        recorded. `threads` gives the thread of each event, by seq."""
        if not self.judge.objects or not finding.locations:
            return ()
        seqs: defaultdict[int, list[int]] = defaultdict(list)
        for role in sorted(kind.roles, key=lambda role: not role.groups):
            seq = finding.roles.get(role.name, -1)
            if seq in threads:
                seqs[threads[seq]].append(seq)
        return tuple(
            holding(Update(finding.locations[0], thread, min(of), max(of)), self.owned) for thread, of in seqs.items()
        )

    def held_elsewhere(self, group: FindingGroup, location: Location, recording: RunEvents) -> HeldElsewhere | None:
        """The lock that all writes held but those of some of the group's places; if there are several, that of most
        writes."""
        if not self.judge.locks or location.reads + location.writes > MAX_ACCESSES:
            return None
        events = recording.events(0, MAX_INTEGER, [location.id])
        start = next((place for place, each in enumerate(events) if each.thread != events[0].thread), len(events))
        writes = [each for each in events[start:] if each.kind != EventKind.READ]
        updates = (Update(location.id, each.thread, each.seq, each.seq) for each in writes)
        locks_at: defaultdict[int, list[frozenset[int]]] = defaultdict(list)  # by site
        for write, (_, locks) in zip(writes, locksets(updates, self.judge.locks), strict=True):
            locks_at[write.site].append(locks)
        own = set(group.sites.values())
        best: HeldElsewhere | None = None
        for lock in sorted(frozenset[int]().union(*(each for at in locks_at.values() for each in at))):
            always = {site for site, at in locks_at.items() if all(lock in each for each in at)}
            number = sum(len(locks_at[site]) for site in always)
            without = locks_at.keys() - always
            if without and without <= own and number > (1 if best is None else best.writes):
                best = HeldElsewhere(lock, number)
        return best

    def protected(
        self,
        locations: Iterable[Location],
        recording: RunEvents,
        lanes: Mapping[int, Lane],
        unseen: Collection[int],
    ) -> list[Protected]:
        """Why the locations lost nothing, by label and reason, those written most first.

        The first one is shown with its tightest hand-over in `lanes`, if there are any. `unseen` are locations
        that code wrote that is not woven."""
        labelled: defaultdict[str, list[Location]] = defaultdict(list)
        for location in locations:
            if location.threads > 1 and location.writes > 1:
                labelled[location.label].append(location)
        writes = {label: sum(cell.writes for cell in cells) for label, cells in labelled.items()}
        wanted: dict[int, Location] = {}
        left = MAX_UPDATES
        for label in sorted(labelled, key=lambda label: (-writes[label], label)):
            if len(wanted) >= MAX_CELLS:
                break
            if writes[label] <= left:
                cells = labelled[label][:MAX_CELLS]
                wanted |= {cell.id: cell for cell in cells}
                left -= sum(cell.writes for cell in cells)
        updates = recording.database.updates(recording.run, wanted) if wanted else []
        lossy = [Doubt.MISSED] if self.run.missed or self.run.holes else []

        def doubts(location: int) -> list[Doubt]:
            return [Doubt.UNSEEN, *lossy] if location in unseen else lossy

        verdicts = dict(self.judge.verdicts(updates, doubts))
        found: dict[tuple[object, ...], list[tuple[Location, Verdict]]] = {}
        for location in wanted.values():
            verdict = verdicts.get(location.id)
            if verdict is not None:
                alike = replace(verdict, updates=0, threads=(), apart=0, objects=(), carriers=())
                things = tuple(self._name(each) for each in verdict.objects)
                carriers = tuple((each.before, each.after, self._name(each.object)) for each in verdict.carriers)
                name = without_number(location.label)
                found.setdefault((name, alike, things, carriers), []).append((location, verdict))
        told = [self._told(alike) for alike in found.values()]
        if told and lanes:
            location, verdict = next(iter(found.values()))[0]
            its = [update for update in updates if update.location == location.id]
            excerpt = self._excerpt(location, verdict, its, recording, lanes)
            told[0] = replace(told[0], hand_over=excerpt)
        return told

    def _name(self, number: int | None) -> tuple[str, str] | None:
        """What all objects have in common that are made at one place."""
        if number is None:
            return None
        its = self.judge.objects[number]
        return its.type_name, without_number(its.label)

    def _told(self, alike: Sequence[tuple[Location, Verdict]]) -> Protected:
        verdicts = [verdict for _, verdict in alike]
        objects = tuple(sorted({each for verdict in verdicts for each in verdict.objects}))
        verdict = replace(
            verdicts[0],
            objects=objects,
            updates=sum(each.updates for each in verdicts),
            apart=sum(each.apart for each in verdicts),
            threads=tuple(sorted({thread for each in verdicts for thread in each.threads})),
        )
        label = alike[0][0].label
        several = len({location.label for location, _ in alike}) > 1
        own = len(objects) > len(verdicts[0].objects)
        return Protected(without_number(label) if several else label, len(alike), verdict, None, own)

    def _excerpt(
        self, location: Location, verdict: Verdict, updates: Sequence[Update], recording: RunEvents,
        lanes: Mapping[int, Lane],
    ) -> Interleaving | None:  # fmt: skip
        pair = tightest(updates, self.judge.woken) if verdict.why is not Why.NOTHING else None
        if pair is None:
            return None
        return hand_over(
            *pair, location, recording, self.sites, lanes, self.steps, not self.run.info.gil,
            self.judge.span(verdict, *pair),
        )  # fmt: skip
