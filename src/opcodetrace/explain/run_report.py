"""The report of a stored run: what was found, each with its interleaving, and why nothing was lost elsewhere."""

from __future__ import annotations

import gc
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from opcodetrace.explain.interleaving import interleave, lanes_of
from opcodetrace.explain.protection import RunEvents, Synchronised
from opcodetrace.findings import KINDS
from opcodetrace.store.database import Database
from opcodetrace.trace.event import Opaque, Value
from opcodetrace.trace.finding import Count, FindingGroup, Severity, Tally
from opcodetrace.trace.location import Location, LocationKind
from opcodetrace.trace.redaction import SHOWN_HIDDEN, is_location_redacted, is_redacted, may_be_secret
from opcodetrace.trace.report_model import Interleaving, Protected, RunReport, Story, WatchedLocation
from opcodetrace.trace.report_step import AccessStep, ComputeStep, Step
from opcodetrace.trace.stored import StoredRun, StoredSite

MAX_STORIES = 10  # groups of findings that are told step by step
MAX_BRIEF = 50  # groups of the same shape as one of those, that are named
HIDDEN = Opaque("hidden", None)
MAX_DIGITS = 100  # of a number in a label, to put labels in their order
MAX_PROTECTED = 5  # labels of which it is told why nothing was lost


def compose(
    database: Database,
    run: StoredRun,
    max_stories: int = MAX_STORIES,
    max_brief: int = MAX_BRIEF,
    redact: Sequence[str] = SHOWN_HIDDEN,
    first: str | None = None,
) -> RunReport:
    """All that a reporter needs to know of a run; reads only the events that are told, the updates of what several
    threads wrote, and the synchronisation. `redact`: patterns of names whose values are left out. `first`: the
    fingerprint of what is to be told first."""
    collecting = gc.isenabled()
    gc.disable()  # nothing here makes cycles, and walking a million rows again and again takes longer than all else
    try:
        return _compose(database, run, max_stories, max_brief, redact, first)
    finally:
        if collecting:
            gc.enable()


def _compose(
    database: Database, run: StoredRun, max_stories: int, max_brief: int, redact: Sequence[str], first: str | None
) -> RunReport:
    threads = tuple(database.threads(run.id))
    lanes = lanes_of(threads)
    locations = database.locations(run.id)
    sites = database.sites(run.id)
    groups = _groups(database, run)
    groups.sort(key=lambda group: first is not None and group.fingerprint != first)
    recording = RunEvents(database, run.id)
    by_thread = {lane.thread: lane for lane in lanes}
    synchronised = Synchronised.of(database, run, sites, threads)

    def told(group: FindingGroup, like: int | None) -> Story:
        kind, example = KINDS[group.kind], group.example
        location = locations[example.locations[0]] if example.locations else None
        if like is not None:
            return replace(_brief(group, locations, sites), like=like)
        interleaving = interleave(
            example, kind, location, recording, sites, by_thread, not run.info.gil,
            None if synchronised is None else synchronised.steps,
        )  # fmt: skip
        if location is not None and is_location_redacted(location, redact):
            interleaving = redacted(interleaving, redact)
        held = () if synchronised is None else synchronised.held(example, kind, group.threads)
        elsewhere = None
        if synchronised is not None and location is not None:
            elsewhere = synchronised.held_elsewhere(group, location, recording)
        return replace(_brief(group, locations, sites), interleaving=interleaving, held=held, held_elsewhere=elsewhere)

    stories: list[Story] = []
    more: list[FindingGroup] = []
    number_of: dict[tuple[object, ...], int] = {}
    brief = 0
    for group in groups:
        shape = _shape(group, locations, sites)
        like = number_of.get(shape)
        if like is None and len(number_of) < max_stories:
            stories.append(told(group, None))
            number_of[shape] = len(stories)
        elif like is not None and brief < max_brief:
            stories.append(told(group, like))
            brief += 1
        else:
            more.append(group)

    counts = database.counts(run.id)
    protected: list[Protected] = []
    if synchronised is not None and not run.merged:
        found_at = {count.location for count in counts if count.high and is_told(count.kind)}
        written_unseen = {count.location for count in counts if count.location is not None and not is_told(count.kind)}
        whole = [each for each in locations.values() if each.certain and each.kind is not LocationKind.WHOLE]
        shown = by_thread if not groups else {}
        protected = synchronised.protected(
            [each for each in whole if each.id not in found_at], recording, shown, written_unseen
        )
    protected = [
        replace(each, hand_over=redacted(each.hand_over, redact))
        if each.hand_over is not None and is_redacted(each.label, redact)
        else each
        for each in protected
    ]
    return RunReport(
        run=run,
        threads=threads,
        lanes=lanes,
        kinds=KINDS,
        watched=watched(locations.values(), counts),
        stories=tuple(stories),
        more=tuple(more),
        unwoven=tuple(database.unwoven(run.id)),
        protected=tuple(protected[:MAX_PROTECTED]),
        more_protected=len(protected[MAX_PROTECTED:]),
        untold_synchronisation=database.count_synchronisation(run.id) if synchronised is None else 0,
        objects={} if synchronised is None else synchronised.judge.objects,
        started_at={} if synchronised is None else synchronised.started_at,
    )


def brief(database: Database, run: StoredRun) -> list[Story]:
    """All that was found in a run, without an interleaving; in the order in which it is told."""
    groups = _groups(database, run)
    if not groups:
        return []
    locations, sites = database.locations(run.id), database.sites(run.id)
    return [_brief(group, locations, sites) for group in groups]


def _groups(database: Database, run: StoredRun) -> list[FindingGroup]:
    """What happened first, then by kind, the most frequent first."""
    order = list(KINDS)
    groups = database.finding_groups(run.id, {name: kind for name, kind in KINDS.items() if kind.is_told})
    groups.sort(key=lambda group: (group.severity is not Severity.HAPPENED, order.index(group.kind), -group.count))
    return groups


def _brief(group: FindingGroup, locations: Mapping[int, Location], sites: Mapping[int, StoredSite]) -> Story:
    return Story(
        kind=KINDS[group.kind],
        severity=group.severity,
        certainty=group.certainty,
        label=locations[group.example.locations[0]].label if group.example.locations else "",
        count=group.count,
        locations=group.locations,
        labels=group.labels,
        sites={role: sites[site] for role, site in group.sites.items() if site in sites},
        interleaving=None,
        fingerprint=group.fingerprint,
    )


def redacted(interleaving: Interleaving, redact: Sequence[str]) -> Interleaving:
    """The same without the values of its location, and without what was computed of them. If nobody has named what to
    hide, without those alone that may be a secret: the `token` of a parser is none."""
    is_asked = tuple(redact) != SHOWN_HIDDEN

    def hidden(value: Value) -> Value:
        return HIDDEN if is_asked or may_be_secret(value) else value

    def without(step: Step) -> Step:
        if isinstance(step, AccessStep):
            return replace(step, value=hidden(step.value))
        if isinstance(step, ComputeStep):
            return replace(step, value=hidden(step.value), operand=hidden(step.operand))
        return step

    return replace(interleaving, steps=tuple(map(without, interleaving.steps)))


def _shape(
    group: FindingGroup, locations: Mapping[int, Location], sites: Mapping[int, StoredSite]
) -> tuple[object, ...]:
    """The same of findings that differ in the object, or in a name, alone: kind, functions and the lines' text, without
    numbers and without the last name of the location's label."""
    label = locations[group.example.locations[0]].label if group.example.locations else ""
    name = (re.findall(r"\w+", label) or [""])[-1]
    roles = sorted(role for role in group.sites if group.sites[role] in sites)
    places = []
    for role in roles:
        site = sites[group.sites[role]]
        text = re.sub(rf"\b{re.escape(name)}\b", "_", site.source_line) if name else site.source_line
        line = re.sub(r"\d+", "0", text) or site.line
        places.append((role, site.path, site.function, site.operation, line))
    return group.kind, group.severity, *places


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
    result = [_watched(label, cells, counts_at) for label, cells in _in_order(labelled)]
    result.sort(key=_most_found_first)  # of those alike in that, the order is kept
    return tuple(result)


def _in_order(labelled: dict[str, list[Location]]) -> Iterator[tuple[str, list[Location]]]:
    """The labels in their natural order, each with its locations, and then no longer kept."""
    for label in sorted(labelled, key=_natural):
        yield label, labelled.pop(label)


def _watched(label: str, cells: Sequence[Location], counts_at: Mapping[int | None, Sequence[Count]]) -> WatchedLocation:
    by_kind: defaultdict[str, list[Count]] = defaultdict(list)
    for cell in cells:
        for count in counts_at.get(cell.id, ()):
            by_kind[count.kind].append(count)
    return WatchedLocation(
        label=label,
        cells=len(cells),
        reads=sum([cell.reads for cell in cells]),
        writes=sum([cell.writes for cell in cells]),
        threads=max([cell.threads for cell in cells]),
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
        uncertain=sum([not cell.certain and cell.threads > 1 for cell in cells]),
    )


def _most_found_first(watched: WatchedLocation) -> tuple[int, int, int]:
    told = [tally for tally in watched.found if is_told(tally.kind)]
    return -sum(tally.low for tally in told), -sum(tally.high for tally in told), -watched.writes


NUMBER = re.compile(r"\d+")
LESS_THAN_TEXT = "\0"
MORE_THAN_TEXT = "\U0010ffff"


def _natural(label: str) -> str:
    """Orders c[2] before c[10]: as text does, but that numbers are compared as such."""
    label = label.replace(LESS_THAN_TEXT, " ").replace(MORE_THAN_TEXT, " ")

    def comparable(number: re.Match[str]) -> str:
        if number.end() - number.start() > MAX_DIGITS:
            return number[0]
        digits = str(int(number[0]))
        # text is less than a number that stands in its place, and more than one that follows it
        return f"{LESS_THAN_TEXT if number.start() else MORE_THAN_TEXT}{len(digits):03}{digits}"

    return NUMBER.sub(comparable, label)
