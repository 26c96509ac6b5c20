"""The report of a stored run: what was found, each with its interleaving, and why nothing was lost elsewhere."""

from __future__ import annotations

import gc
import re
from collections import defaultdict
from collections.abc import Iterable

from opcodetrace.explain.interleaving import interleave, lanes_of
from opcodetrace.explain.protection import RunEvents, Synchronised
from opcodetrace.findings import KINDS
from opcodetrace.store.database import Database
from opcodetrace.trace.finding import Count, FindingGroup, Severity, Tally
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.report_model import Protected, RunReport, Story, WatchedLocation
from opcodetrace.trace.stored import StoredRun

MAX_STORIES = 10  # groups of findings that are told step by step
MAX_PROTECTED = 5  # labels of which it is told why nothing was lost


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
    order = list(KINDS)
    groups = [group for group in database.finding_groups(run.id) if group.kind in KINDS and KINDS[group.kind].is_told]
    groups.sort(key=lambda group: (group.severity is not Severity.HAPPENED, order.index(group.kind), -group.count))
    recording = RunEvents(database, run.id)
    by_thread = {lane.thread: lane for lane in lanes}
    synchronised = Synchronised.of(database, run, sites, threads)

    def told(group: FindingGroup) -> Story:
        kind, example = KINDS[group.kind], group.example
        location = locations[example.locations[0]] if example.locations else None
        return Story(
            kind=kind,
            severity=group.severity,
            certainty=group.certainty,
            label="" if location is None else location.label,
            count=group.count,
            locations=group.locations,
            labels=group.labels,
            sites={role: sites[site] for role, site in group.sites.items() if site in sites},
            interleaving=interleave(
                example, kind, location, recording, sites, by_thread, not run.info.gil,
                None if synchronised is None else synchronised.steps,
            ),
            held=() if synchronised is None else synchronised.held(example, kind, group.threads),
            fingerprint=group.fingerprint,
        )  # fmt: skip

    counts = database.counts(run.id)
    protected: list[Protected] = []
    if synchronised is not None and not run.merged:
        went_wrong = {count.location for count in counts if count.high and is_told(count.kind)}
        written_unseen = {count.location for count in counts if count.location is not None and not is_told(count.kind)}
        whole = [each for each in locations.values() if each.certain and each.kind is not LocationKind.WHOLE]
        shown = by_thread if not groups else {}
        protected = synchronised.protected(
            [each for each in whole if each.id not in went_wrong], recording, shown, written_unseen
        )
    return RunReport(
        run=run,
        threads=threads,
        lanes=lanes,
        kinds=KINDS,
        watched=watched(locations.values(), counts),
        stories=tuple(map(told, groups[:max_stories])),
        more=tuple(groups[max_stories:]),
        unwoven=tuple(database.unwoven(run.id)),
        protected=tuple(protected[:MAX_PROTECTED]),
        more_protected=len(protected[MAX_PROTECTED:]),
        untold_synchronisation=database.count_synchronisation(run.id) if synchronised is None else 0,
        objects={} if synchronised is None else synchronised.judge.objects,
    )


def is_told(kind: str) -> bool:
    """Whether it is a kind of finding that this opcodetrace tells."""
    return kind in KINDS and KINDS[kind].is_told


def watched(locations: Iterable[Location], counts: Iterable[Count]) -> tuple[WatchedLocation, ...]:
    """The shared locations by label, those with most findings first, then those written most."""
    counts_at: defaultdict[int | None, list[Count]] = defaultdict(list)
    for count in counts:
        counts_at[count.location].append(count)
    labelled: defaultdict[str, list[Location]] = defaultdict(list)
    for location in locations:
        labelled[location.label].append(location)
    result = []
    for label, cells in labelled.items():
        by_kind: defaultdict[str, list[Count]] = defaultdict(list)
        for cell in cells:
            for count in counts_at.get(cell.id, ()):
                by_kind[count.kind].append(count)
        result.append(
            WatchedLocation(
                label=label,
                cells=len(cells),
                reads=sum(cell.reads for cell in cells),
                writes=sum(cell.writes for cell in cells),
                threads=max(cell.threads for cell in cells),
                found=tuple(
                    Tally(
                        kind=kind,
                        low=sum(count.low for count in found),
                        high=sum(count.high for count in found),
                        causes=sum(count.causes for count in found),
                        exhausted=any(count.exhausted for count in found),
                    )
                    for kind, found in by_kind.items()
                ),
                uncertain=sum(not cell.certain for cell in cells),
            )
        )
    result.sort(key=_most_found_first)
    return tuple(result)


def _most_found_first(watched: WatchedLocation) -> tuple[int, int, int, list[tuple[int, str]]]:
    told = [tally for tally in watched.found if is_told(tally.kind)]
    return (
        -sum(tally.low for tally in told),
        -sum(tally.high for tally in told),
        -watched.writes,
        _natural(watched.label),
    )


def _natural(label: str) -> list[tuple[int, str]]:
    """Orders c[2] before c[10]."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", label) if part]
