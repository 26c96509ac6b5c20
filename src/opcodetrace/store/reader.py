"""Runs out of a trace file."""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from opcodetrace.errors import RunNotFound
from opcodetrace.store import rows
from opcodetrace.store.connection import Connection
from opcodetrace.store.rows import GroupRow, References
from opcodetrace.store.stored_value import MAX_INTEGER
from opcodetrace.store.trace_file import Damage
from opcodetrace.trace.event import Event, EventKind
from opcodetrace.trace.finding import Count, Finding, FindingGroup, Tally
from opcodetrace.trace.finding_kind import FindingKind
from opcodetrace.trace.location import Location
from opcodetrace.trace.protection import Update
from opcodetrace.trace.report_model import UnwovenFunction
from opcodetrace.trace.run import Thread
from opcodetrace.trace.source_text import SourceText
from opcodetrace.trace.stored import StoredRun, StoredSite
from opcodetrace.trace.switch import Switch
from opcodetrace.trace.sync import Synchronisation, SyncObject

RUNS = """
    SELECT runs.*,
        (SELECT count(DISTINCT name) FROM modules WHERE run_id = runs.id AND file_id IS NOT NULL) AS modules,
        (SELECT count(*) FROM unwoven WHERE run_id = runs.id) AS unwoven
    FROM runs"""

MAX_LABELS = 10  # of a group's locations that are named
LABELS_OF_GROUPS = f"""
    SELECT group_id, label FROM (
        SELECT group_id, label, row_number() OVER (
            PARTITION BY group_id ORDER BY count(*) DESC, min(findings.id)) AS place
        FROM findings JOIN locations ON locations.id = location_id
        WHERE group_id IN (SELECT id FROM finding_groups WHERE run_id = ?) GROUP BY group_id, label)
    WHERE place <= {MAX_LABELS} ORDER BY group_id, place"""
AT_ONCE = 1_000  # groups that are read together

P = ParamSpec("P")
R = TypeVar("R")
Self = TypeVar("Self", bound=Connection)


def question(
    method: Callable[Concatenate[Self, P], R],
) -> Callable[Concatenate[Self, P], R]:
    """A method that asks the file: what makes the answer useless is told in a line."""

    @functools.wraps(method)
    def asked(self: Self, /, *args: P.args, **keywords: P.kwargs) -> R:
        with self._told():
            return method(self, *args, **keywords)

    return asked


class Reader(Connection):
    """Reads runs and what belongs to them; seqs are inclusive at both ends.

    A file may be damaged: `rows` checks each row, and here it is checked that what rows refer to is there."""

    @question
    def runs(self) -> list[StoredRun]:
        tallies = self._tallies()
        return [
            rows.run_of(row, tallies.get(row.integer("id", 1), ())) for row in self._rows("runs", f"{RUNS} ORDER BY id")
        ]

    @question
    def run(self, number: int | None = None) -> StoredRun:
        """The run with this number; the latest if none is given."""
        sql = f"{RUNS} ORDER BY id DESC LIMIT 1" if number is None else f"{RUNS} WHERE id = ?"
        for row in self._rows("runs", sql, *([] if number is None else [number])):
            run_id = row.integer("id", 1)
            return rows.run_of(row, self._tallies(run_id).get(run_id, ()))
        held, first, last = self._connection.execute("SELECT count(*), min(id), max(id) FROM runs").fetchone()
        if not held:
            raise RunNotFound(f"{self.path} holds no runs; record one first: opcodetrace record -d {self.path} SCRIPT")
        known = f"run {first}" if held == 1 else f"runs {first} to {last}"
        raise RunNotFound(f"{self.path} holds no run {number}; it holds {known}")

    @question
    def threads(self, run_id: int) -> list[Thread]:
        sql = "SELECT * FROM threads WHERE run_id = ? ORDER BY thread"
        return [thread for part in self._parts("threads", sql, run_id) for thread in rows.threads_of(part)]

    @question
    def locations(self, run_id: int) -> dict[int, Location]:
        sql = "SELECT * FROM locations WHERE run_id = ? ORDER BY id"
        parts = self._parts("locations", sql, run_id)
        return {each.id: each for part in parts for each in rows.locations_of(part)}

    @question
    def sites(self, run_id: int) -> dict[int, StoredSite]:
        """The sites that the run refers to, with their source."""
        sql = """
            SELECT site.*, file.path, run_sites.site_id FROM run_sites LEFT JOIN sites AS site
            ON site.id = run_sites.site_id LEFT JOIN files AS file ON file.id = site.file_id
            WHERE run_sites.run_id = ? ORDER BY run_sites.site_id"""
        texts: dict[int, SourceText] = {}
        sites = {}
        for row in self._rows("sites", sql, run_id):
            file = row.integer("file_id", -MAX_INTEGER - 1)
            if file not in texts:
                texts[file] = SourceText(self._source(file))
            site = rows.site_of(row, texts[file].line)
            sites[site.id] = site
        return sites

    def _source(self, file: int) -> bytes:
        for row in self._rows("files", "SELECT source FROM files WHERE id = ?", file):
            return row.source("source")
        raise Damage(f"sites.file_id is {file}, and there is no such file")

    @question
    def source(self, run_id: int, path: str) -> bytes | None:
        """A source file as the run saw it; None if no site of the run lies in it."""
        sql = """
            SELECT file_id FROM run_sites JOIN sites ON sites.id = site_id JOIN files ON files.id = file_id
            WHERE run_id = ? AND path = ? LIMIT 1"""
        for row in self._rows("sites", sql, run_id, path):
            return self._source(row.integer("file_id", -MAX_INTEGER - 1))
        return None

    @question
    def sources(self, run_id: int) -> dict[str, bytes]:
        """The source files that the run's sites lie in, by path."""
        sql = """
            SELECT DISTINCT path, file_id FROM run_sites JOIN sites ON sites.id = site_id
            JOIN files ON files.id = file_id WHERE run_id = ?"""
        return {
            row.text("path"): self._source(row.integer("file_id", -MAX_INTEGER - 1))
            for row in self._rows("sites", sql, run_id)
        }

    def _known(self, run_id: int) -> References:
        """What the events of a run may refer to."""
        if run_id not in self._references:
            threads, sites = (
                frozenset(number for (number,) in rows.at_most(self._connection.execute(sql, (run_id,))))
                for sql in (
                    "SELECT thread FROM threads WHERE run_id = ?",
                    "SELECT site_id FROM run_sites WHERE run_id = ?",
                )
            )
            self._references[run_id] = References(threads, sites, self._location_ids(run_id))
        return self._references[run_id]

    def _location_ids(self, run_id: int) -> Collection[int]:
        """A run's locations are stored in a row: a range of them takes no memory."""
        sql = "SELECT count(*), min(id), max(id) FROM locations WHERE run_id = ?"
        count, first, last = self._connection.execute(sql, (run_id,)).fetchone()
        if not count or last - first + 1 == count:
            return range(first, last + 1) if count else range(0)
        sql = "SELECT id FROM locations WHERE run_id = ?"
        return frozenset(number for (number,) in rows.at_most(self._connection.execute(sql, (run_id,))))

    def _events_of_run(self, run_id: int) -> range:
        """The rowids of the run's events."""
        sql = "SELECT first_event, events FROM runs WHERE id = ?"
        found: tuple[Any, Any] | None = self._connection.execute(sql, (run_id,)).fetchone()
        if found is None or found == (None, 0):
            return range(0)
        start, count = found
        if type(start) is not int or type(count) is not int or count < 0 or not 0 < start <= MAX_INTEGER - count:
            raise Damage(f"the events of run {run_id} begin nowhere")
        return range(start, start + count)

    def _rows_of_events(self, run_id: int, first: int, last: int) -> tuple[int, int]:
        """The rowids of the run's events from seq `first` to `last`: those from one on, below the other."""
        every = self._events_of_run(run_id)

        def seq(row: int) -> int:
            sql = "SELECT seq FROM events WHERE rowid = ?"
            found: tuple[Any] | None = self._connection.execute(sql, (row,)).fetchone()
            if found is None or type(found[0]) is not int:
                raise Damage(f"an event of run {run_id} is missing: row {row}")
            return int(found[0])

        return every.start + bisect_left(every, first, key=seq), every.start + bisect_right(every, last, key=seq)

    @question
    def events(self, run_id: int, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        """The events from `first` to `last`, both among them: of all locations with what was computed, or of some."""
        return self._events(run_id, first, last, locations)

    def _events(self, run_id: int, first: int, last: int, locations: Collection[int] | None = None) -> list[Event]:
        sql = f"SELECT {rows.EVENT} FROM events WHERE rowid >= ? AND rowid < ? {_of(locations)} ORDER BY rowid"
        found = rows.at_most(self._connection.execute(sql, self._rows_of_events(run_id, first, last)))
        return list(rows.events_of(found, run_id, first, last, self._known(run_id), self._budget))

    @question
    def count_events(self, run_id: int, first: int, last: int, locations: Collection[int] | None = None) -> int:
        """How many accesses there are from `first` to `last`, both among them."""
        sql = f"""
            SELECT count(*) FROM events
            WHERE rowid >= ? AND rowid < ? AND location_id IS NOT NULL {_of(locations)}"""
        return int(self._connection.execute(sql, self._rows_of_events(run_id, first, last)).fetchone()[0])

    @question
    def stack(self, run_id: int, seq: int) -> list[int]:
        """The sites of the calls that led to the event `seq`, the newest first; none if calls were not recorded."""
        newest = """
            SELECT call.* FROM events AS event JOIN calls AS call
            ON call.run_id = event.run_id AND call.frame = event.frame AND call.seq = (
                SELECT max(seq) FROM calls
                WHERE calls.run_id = event.run_id AND calls.frame = event.frame AND calls.seq < event.seq)
            WHERE event.rowid = ?"""
        by_seq = "SELECT * FROM calls WHERE run_id = ? AND seq = ?"
        event, _ = self._rows_of_events(run_id, seq, seq)
        stack: list[int] = []
        found = list(self._rows("calls", newest, event))
        while found:
            call = rows.call_of(found[0])
            if call.call_site is not None:
                stack.append(call.call_site)
            found = []
            if call.caller_seq is not None:  # it began earlier, so that this comes to an end
                found = list(self._rows("calls", by_seq, run_id, call.caller_seq))
        return stack

    @question
    def switches(self, run_id: int, first: int, last: int) -> list[Switch]:
        sql = """
            SELECT switch.*, site.file_id, site.function, site.line, site.opcode, site."offset", site.expression
            FROM switches AS switch LEFT JOIN sites AS site ON site.id = switch.site_id
            WHERE run_id = ? AND seq BETWEEN ? AND ? ORDER BY seq"""
        asked = (run_id, max(first, -MAX_INTEGER), min(last, MAX_INTEGER))
        return [rows.switch_of(row) for row in self._rows("switches", sql, *asked)]

    @question
    def count_synchronisation(self, run_id: int) -> int:
        sql = "SELECT count(*) FROM synchronisation WHERE run_id = ?"
        return int(self._connection.execute(sql, (run_id,)).fetchone()[0])

    @question
    def synchronisation(self, run_id: int) -> list[Synchronisation]:
        """What the threads did to wait for each other, in order."""
        sql = f"SELECT {rows.SYNCHRONISATION} FROM synchronisation WHERE run_id = ? ORDER BY seq"
        known = self._known(run_id)
        objects = self._sync_objects(run_id)
        parts = rows.in_parts(self._connection.execute(sql, (run_id,)))
        return list(rows.synchronisation_of(parts, known, objects))

    @question
    def sync_objects(self, run_id: int) -> dict[int, SyncObject]:
        return self._sync_objects(run_id)

    def _sync_objects(self, run_id: int) -> dict[int, SyncObject]:
        if run_id not in self._objects:
            sql = "SELECT * FROM sync_objects WHERE run_id = ? ORDER BY id"
            parts = self._parts("sync_objects", sql, run_id)
            self._objects[run_id] = {each.id: each for part in parts for each in rows.sync_objects_of(part)}
        return self._objects[run_id]

    @question
    def updates(self, run_id: int, locations: Collection[int]) -> list[Update]:
        """The updates of some locations, each with the seq at which its value was read; in the order of the writes."""
        sql = f"""
            SELECT {rows.UPDATE} FROM events
            WHERE rowid >= ? AND rowid < ? AND kind IN ({EventKind.WRITE:d}, {EventKind.DELETE:d}) {_of(locations)}
            ORDER BY rowid"""
        found = rows.at_most(self._connection.execute(sql, self._rows_of_events(run_id, 0, MAX_INTEGER)))
        return list(rows.updates_of(found, self._known(run_id)))

    @question
    def unwoven(self, run_id: int) -> list[UnwovenFunction]:
        sql = """
            SELECT unwoven.*, file.path FROM unwoven LEFT JOIN files AS file ON file.id = file_id
            WHERE run_id = ? ORDER BY path, line, function"""
        return [rows.unwoven_of(row) for row in self._rows("unwoven", sql, run_id)]

    @question
    def counts(self, run_id: int) -> list[Count]:
        """How many findings of each kind there are at each location."""
        sql = "SELECT * FROM finding_counts WHERE run_id = ? ORDER BY kind, location_id"
        known = self._known(run_id).locations
        return [rows.count_of(row, known) for row in self._rows("finding_counts", sql, run_id)]

    def _tallies(self, run_id: int | None = None) -> dict[int, tuple[Tally, ...]]:
        """How many findings of each kind, by run."""
        sql = f"{rows.TALLIES} {'' if run_id is None else 'WHERE run_id = ?'} GROUP BY run_id, kind"
        tallies: defaultdict[int, list[Tally]] = defaultdict(list)
        for row in self._rows("finding_counts", sql, *([] if run_id is None else [run_id])):
            run, tally = rows.tally_of(row)
            tallies[run].append(tally)
        return {run: tuple(each) for run, each in tallies.items()}

    @question
    def finding_groups(self, run_id: int, kinds: Mapping[str, FindingKind] | None = None) -> list[FindingGroup]:
        """Findings that are alike, each group with the one whose events span the fewest records; the largest first.

        Of `kinds`, if they are given, alone."""
        # with min(), SQLite takes the other columns from the row of the minimum
        sql = """
            SELECT finding_group.*, count(*) AS findings, count(DISTINCT location_id) AS locations,
                finding.id AS example, min(last_seq - first_seq) AS span, certainty, location_id
            FROM finding_groups AS finding_group JOIN findings AS finding ON finding.group_id = finding_group.id
            WHERE finding_group.run_id = ? GROUP BY finding_group.id ORDER BY findings DESC, finding_group.id"""
        known = self._known(run_id)
        found = [rows.group_of(row, known.locations) for row in self._rows("findings", sql, run_id)]
        groups = [group for group in found if kinds is None or group.kind in kinds]
        labels = self._labels(run_id)
        given: list[FindingGroup] = []
        for start in range(0, len(groups), AT_ONCE):
            given += self._groups(run_id, groups[start : start + AT_ONCE], labels, kinds)
        return given

    def _labels(self, run_id: int) -> Mapping[int, Sequence[str]]:
        """Of the locations of each group, the most frequent first."""
        labels: defaultdict[int, list[str]] = defaultdict(list)
        for row in self._rows("locations", LABELS_OF_GROUPS, run_id):
            labels[row.integer("group_id", -MAX_INTEGER - 1)].append(row.text("label"))
        return labels

    def _groups(
        self,
        run_id: int,
        groups: Sequence[GroupRow],
        labels: Mapping[int, Sequence[str]],
        kinds: Mapping[str, FindingKind] | None,
    ) -> Iterator[FindingGroup]:
        of_examples = f"WHERE finding_id IN ({', '.join(str(int(group.example)) for group in groups)})"
        roles: defaultdict[int, dict[str, int]] = defaultdict(dict)
        place_of: dict[int, int | None] = {}  # by seq: how far behind runs.first_event the event is
        for row in self._rows("finding_events", f"SELECT * FROM finding_events {of_examples}"):
            role, seq = rows.role_of(row)
            roles[row.integer("finding_id", -MAX_INTEGER - 1)][role] = seq
            place_of[seq] = row.integer_or_none("place", 0, MAX_INTEGER)
        places = self._places(run_id, place_of)
        known = self._known(run_id).locations
        further: defaultdict[int, list[int]] = defaultdict(list)
        sql = f"SELECT * FROM finding_locations {of_examples} ORDER BY finding_id, location_id"
        for row in self._rows("finding_locations", sql):
            location = row.reference("location_id", known, "location")
            further[row.integer("finding_id", -MAX_INTEGER - 1)].append(location)
        locks: defaultdict[int, list[int]] = defaultdict(list)
        sql = f"SELECT * FROM finding_locks {of_examples} ORDER BY finding_id, sync_object_id"
        for row in self._rows("finding_locks", sql):
            lock = row.reference("sync_object_id", self._sync_objects(run_id), "object of synchronisation")
            locks[row.integer("finding_id", -MAX_INTEGER - 1)].append(lock)
        for group in groups:
            its = roles[group.example]
            sites = {role: places[seq][1] for role, seq in its.items() if seq in places}
            if kinds is not None and kinds[group.kind].pivot not in sites:
                pivot = kinds[group.kind].pivot
                raise Damage(f"finding {group.example}, {group.kind}, has no event that is its {pivot}")
            first = () if group.location is None else (group.location,)
            yield FindingGroup(
                kind=group.kind,
                severity=group.severity,
                certainty=group.certainty,
                fingerprint=group.fingerprint,
                count=group.findings,
                locations=group.locations,
                labels=tuple(labels.get(group.id, ())),
                sites=sites,
                example=Finding(
                    kind=group.kind,
                    severity=group.severity,
                    certainty=group.certainty,
                    roles=its,
                    locations=(*first, *further[group.example]),
                    locks=tuple(locks[group.example]),
                ),
                threads={seq: places[seq][0] for seq in its.values() if seq in places},
            )

    def _places(self, run_id: int, place_of: Mapping[int, int | None]) -> dict[int, tuple[int, int]]:
        """The thread and the site of events, or of synchronisation, by seq. `place_of` says which of the run's events
        they are."""
        known = self._known(run_id)
        places: dict[int, tuple[int, int]] = {}

        def note(found: Iterable[Event]) -> None:
            for event in found:
                if event.kind == EventKind.COMPUTE:
                    raise Damage(f"a finding is made of the event at seq {event.seq}, which is no access")
                places[event.seq] = (event.thread, event.site)

        every = self._events_of_run(run_id)
        asked = ", ".join(str(every[place]) for place in place_of.values() if place is not None and place < len(every))
        found = self._connection.execute(f"SELECT {rows.EVENT} FROM events WHERE rowid IN ({asked}) ORDER BY rowid")
        note(
            event
            for event in rows.events_of(found, run_id, 0, MAX_INTEGER, known, self._budget)
            if event.seq in place_of
        )
        sql = f"""
            SELECT seq, thread, site_id FROM synchronisation
            WHERE run_id = ? AND seq IN ({", ".join(map(str, place_of.keys() - places.keys()))})
            AND site_id IS NOT NULL"""
        for row in self._rows("synchronisation", sql, run_id):
            thread = row.reference("thread", known.threads, "thread")
            places[row.integer("seq")] = (thread, row.reference("site_id", known.sites, "site"))
        for seq in place_of.keys() - places.keys():  # of an older file
            note(self._events(run_id, seq, seq))
        return places


def _of(locations: Collection[int] | None) -> str:
    return "" if locations is None else f"AND location_id IN ({', '.join(str(int(each)) for each in locations)})"
