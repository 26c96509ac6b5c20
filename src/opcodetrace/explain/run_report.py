"""The report of a stored run: what was found, each with its interleaving, and why nothing was lost elsewhere."""

from __future__ import annotations

import gc
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from opcodetrace.analyse.happens_before import Operations, orders
from opcodetrace.analyse.lockset import Judge, holding, tightest
from opcodetrace.explain.interleaving import SyncSteps, hand_over, interleave, lanes_of
from opcodetrace.store.database import Database
from opcodetrace.trace.event import Event
from opcodetrace.trace.finding import LostCount, LostUpdate, UnseenWrite
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.protection import Doubt, Holding, Update, Verdict, Why
from opcodetrace.trace.report_model import Interleaving, Lane, LostStory, Protected, RunReport, WatchedLocation
from opcodetrace.trace.run import StoredRun, StoredSite, Thread
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import Synchronisation

MAX_STORIES = 10  # pairs of source lines that are told
MAX_PROTECTED = 5  # labels of which it is told why nothing was lost
MAX_CELLS = 1_000  # locations of which it is looked for
MAX_UPDATES = 2_000_000  # writes of those that are looked at
MAX_SYNCHRONISATION = 1_000_000  # rows; of a run with more, none is told


@dataclass(frozen=True, slots=True)
class StoredRecording:
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


def compose(database: Database, run: StoredRun, max_stories: int = MAX_STORIES) -> RunReport:
    """All that a reporter needs to know of a run; reads only the events that are told, the updates of what several
    threads wrote, and the synchronisation."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and walking a million rows again and again takes longer than all else
    try:
        return _compose(database, run, max_stories)
    finally:
        if collecting:
            gc.enable()


def _compose(database: Database, run: StoredRun, max_stories: int) -> RunReport:
    threads = tuple(database.threads(run.id))
    lanes = lanes_of(threads)
    locations = database.locations(run.id)
    sites = database.sites(run.id)
    groups = sorted(database.lost_groups(run.id), key=lambda group: -group.count)
    recording = StoredRecording(database, run.id)
    by_thread = {lane.thread: lane for lane in lanes}
    synchronised = Synchronised.of(database, run, sites, threads)
    stories = []
    for group in groups[:max_stories]:
        told = interleave(
            group.example, locations[group.example.location], recording, sites, by_thread, not run.info.gil,
            None if synchronised is None else synchronised.steps,
        )  # fmt: skip
        overwriting = None if group.overwriting_site is None else sites[group.overwriting_site]
        stories.append(
            LostStory(group.label, sites[group.lost_site], overwriting, group.count, group.example.certainty, told,
                      () if synchronised is None else synchronised.held(group.example))
        )  # fmt: skip
    rest = groups[max_stories:]
    counts = database.lost_counts(run.id)
    unseen = database.unseen(run.id)
    protected: list[Protected] = []
    if synchronised is not None:
        losers = {count.location for count in counts if count.high}
        whole = [each for each in locations.values() if each.certain and each.kind is not LocationKind.WHOLE]
        shown = by_thread if not groups else {}
        protected = synchronised.protected(
            [each for each in whole if each.id not in losers], recording, shown, {each.location for each in unseen}
        )
    return RunReport(
        run=run,
        threads=threads,
        lanes=lanes,
        watched=watched(locations.values(), counts, unseen),
        stories=tuple(stories),
        more_stories=len(rest),
        more_lost=sum(group.count for group in rest),
        unwoven=tuple(database.unwoven(run.id)),
        protected=tuple(protected[:MAX_PROTECTED]),
        more_protected=len(protected[MAX_PROTECTED:]),
        untold_synchronisation=database.count_synchronisation(run.id) if synchronised is None else 0,
        objects={} if synchronised is None else synchronised.judge.objects,
    )


@dataclass(frozen=True, slots=True)
class Synchronised:
    """What the threads of a stored run did to wait for each other, and what follows from that."""

    steps: SyncSteps
    judge: Judge
    run: StoredRun
    sites: Mapping[int, StoredSite]

    @classmethod
    def of(
        cls, database: Database, run: StoredRun, sites: Mapping[int, StoredSite], threads: Collection[Thread]
    ) -> Synchronised | None:
        """None where there is too much of it."""
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
        return cls(SyncSteps(operations, objects, sites), judge, run, sites)

    def held(self, lost: LostUpdate) -> tuple[Holding, ...]:
        """The locks of the thread whose write was lost, and of the one that overwrote it; none where no synchronisation
        was recorded at all, as by an opcodetrace of before."""
        updates = []
        if not self.judge.objects:
            return ()
        for thread, read, write in (
            (lost.lost_thread, lost.source_read, lost.lost),
            (lost.overwritten_by_thread, lost.read, lost.overwritten_by),
        ):
            if thread is not None and write is not None:
                updates.append(Update(lost.location, thread, write if read is None else read, write))
        return tuple(holding(update, self.judge.locks) for update in updates)

    def protected(
        self,
        locations: Iterable[Location],
        recording: StoredRecording,
        lanes: Mapping[int, Lane],
        unseen: Collection[int],
    ) -> list[Protected]:
        """Why the locations lost nothing, by label and reason, those written most first. The first one is shown with
        its tightest hand-over in `lanes`, if there are any. `unseen`: locations that code wrote that is not woven."""
        labelled: defaultdict[str, list[Location]] = defaultdict(list)
        for location in locations:
            if location.threads > 1 and location.writes > 1:
                labelled[location.label].append(location)
        chosen = sorted(labelled.values(), key=lambda cells: (-sum(cell.writes for cell in cells), cells[0].label))
        of_location: defaultdict[int, list[Update]] = defaultdict(list)
        wanted: dict[int, Location] = {}
        for cells in chosen:
            if sum(cell.writes for cell in [*wanted.values(), *cells]) <= MAX_UPDATES and len(wanted) < MAX_CELLS:
                wanted |= {cell.id: cell for cell in cells[:MAX_CELLS]}
        for update in recording.database.updates(recording.run, wanted) if wanted else ():
            of_location[update.location].append(update)
        found: dict[tuple[object, ...], list[tuple[Location, Verdict]]] = {}
        for location in wanted.values():
            doubts = [Doubt.UNSEEN] if location.id in unseen else []
            doubts += [Doubt.MISSED] if self.run.missed or self.run.holes else []
            verdict = self.judge.verdict(of_location[location.id], doubts)
            if verdict is not None:
                alike = replace(verdict, updates=0, threads=(), apart=0)
                found.setdefault((location.label, alike), []).append((location, verdict))
        told = [self._told(alike) for alike in found.values()]
        if told and lanes:
            location = next(iter(found.values()))[0][0]
            excerpt = self._excerpt(location, told[0].verdict, of_location[location.id], recording, lanes)
            told[0] = replace(told[0], hand_over=excerpt)
        return told

    def _told(self, alike: Sequence[tuple[Location, Verdict]]) -> Protected:
        verdicts = [verdict for _, verdict in alike]
        verdict = replace(
            verdicts[0],
            updates=sum(each.updates for each in verdicts),
            apart=sum(each.apart for each in verdicts),
            threads=tuple(sorted({thread for each in verdicts for thread in each.threads})),
        )
        return Protected(alike[0][0].label, len(alike), verdict, None)

    def _excerpt(
        self, location: Location, verdict: Verdict, updates: Sequence[Update], recording: StoredRecording,
        lanes: Mapping[int, Lane],
    ) -> Interleaving | None:  # fmt: skip
        pair = tightest(updates, self.judge.woken) if verdict.why is not Why.NOTHING else None
        if pair is None:
            return None
        return hand_over(
            *pair, location, recording, self.sites, lanes, self.steps, verdict.certainty, not self.run.info.gil,
            self.judge.span(verdict, *pair),
        )  # fmt: skip


def watched(
    locations: Iterable[Location], counts: Iterable[LostCount], unseen: Iterable[UnseenWrite]
) -> tuple[WatchedLocation, ...]:
    """The shared locations by label, those that lost most first, then those written most."""
    unseen_at = Counter(write.location for write in unseen)
    count_of = {count.location: count for count in counts}
    labelled: defaultdict[str, list[Location]] = defaultdict(list)
    for location in locations:
        labelled[location.label].append(location)
    result = []
    for label, cells in labelled.items():
        lost = [count_of[cell.id] for cell in cells if cell.id in count_of]
        result.append(
            WatchedLocation(
                label=label,
                cells=len(cells),
                reads=sum(cell.reads for cell in cells),
                writes=sum(cell.writes for cell in cells),
                threads=max(cell.threads for cell in cells),
                low=sum(count.low for count in lost),
                high=sum(count.high for count in lost),
                overwriters=sum(count.overwriters for count in lost),
                exhausted=any(count.exhausted for count in lost),
                uncertain=sum(not cell.certain for cell in cells),
                unseen=sum(unseen_at[cell.id] for cell in cells),
            )
        )
    result.sort(key=lambda each: (-each.low, -each.high, -each.writes, _natural(each.label)))
    return tuple(result)


def _natural(label: str) -> list[tuple[int, str]]:
    """Orders c[2] before c[10]."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", label) if part]
