"""Reports of stored runs: reads the store, has the analysis tell the interleavings, hands over to a reporter."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from opcodetrace.analyse.interleaving import interleave, lanes_of
from opcodetrace.errors import UsageError
from opcodetrace.report import Reporter
from opcodetrace.store.database import Database
from opcodetrace.trace.event import Event
from opcodetrace.trace.finding import LostCount, UnseenWrite
from opcodetrace.trace.location import Location
from opcodetrace.trace.run import StoredRun
from opcodetrace.trace.story import LostStory, RunReport, WatchedLocation
from opcodetrace.trace.switch import Switch

MAX_STORIES = 10  # pairs of source lines that are told


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
    """All that a reporter needs to know of a run; reads only the events that are told."""
    threads = tuple(database.threads(run.id))
    lanes = lanes_of(threads)
    locations = database.locations(run.id)
    sites = database.sites(run.id)
    groups = sorted(database.lost_groups(run.id), key=lambda group: -group.count)
    recording = StoredRecording(database, run.id)
    by_thread = {lane.thread: lane for lane in lanes}
    stories = []
    for group in groups[:max_stories]:
        told = interleave(
            group.example, locations[group.example.location], recording, sites, by_thread, not run.info.gil
        )
        overwriting = None if group.overwriting_site is None else sites[group.overwriting_site]
        stories.append(
            LostStory(group.label, sites[group.lost_site], overwriting, group.count, group.example.certainty, told)
        )
    rest = groups[max_stories:]
    return RunReport(
        run=run,
        threads=threads,
        lanes=lanes,
        watched=watched(locations.values(), database.lost_counts(run.id), database.unseen(run.id)),
        stories=tuple(stories),
        more_stories=len(rest),
        more_lost=sum(group.count for group in rest),
        unwoven=tuple(database.unwoven(run.id)),
    )


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


def write_report(report: RunReport, reporter: Reporter, target: Path | TextIO) -> None:
    """Write to a stream, or to a file that appears only when it is whole."""
    if not isinstance(target, Path):
        reporter.write(report, target)
        return
    try:
        _write_whole(report, reporter, target)
    except OSError as error:
        raise UsageError(
            f"cannot write the report to {target}: {error.strerror or error}; give another path with -o"
        ) from error


def _write_whole(report: RunReport, reporter: Reporter, path: Path) -> None:
    """Write beside the file and rename, so that no half-written report is ever left."""
    if path.exists() and not path.is_file():  # a pipe or a device: nothing to rename
        with path.open("w", encoding="utf-8") as stream:
            reporter.write(report, stream)
        return
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            reporter.write(report, stream)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
