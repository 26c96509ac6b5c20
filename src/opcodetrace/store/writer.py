"""Runs into a trace file: each in one transaction, visible only when it is whole."""

from __future__ import annotations

import json
import pathlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from opcodetrace.store import bulk_load
from opcodetrace.store.connection import Connection
from opcodetrace.store.event_rows import pieces, stored_before, stored_by_site
from opcodetrace.store.site_rows import SiteRows, is_kept
from opcodetrace.store.stored_value import MAX_INTEGER, storable, to_sql
from opcodetrace.store.trace_file import MAX_SOURCE, Damage, told
from opcodetrace.trace.execution import Outcome, RunInfo
from opcodetrace.trace.finding import Findings
from opcodetrace.trace.library import is_of_container
from opcodetrace.trace.protection import LocationProtection
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Code, Followed

_plain = str.__str__  # of an enum's member: SQLite's binding would look for an adapter
DOCUMENTS = frozenset({"argv", "notes", "merged"})  # JSON, which is ASCII and cannot be cut
# Tables with names of the program; a callee's is cut where it is put beside a document.
NAMING = frozenset({"locations", "modules", "sync_objects", "threads", "unwoven"})
CACHE_KIB = 65536  # what is written stays in memory up to here, so that readers wait for the commit alone


class Writer(Connection):
    """Adds runs."""

    def add_run(
        self,
        info: RunInfo,
        outcome: Outcome,
        trace: Trace,
        findings: Findings,
        folder: pathlib.Path | None = None,
        stored: Callable[[int], None] = lambda run: None,
    ) -> int:
        """Store a run, in one transaction; gives its number. `stored` is told it as soon as the run is there.

        Meanwhile its events take as much room once more, in a file in `folder`, by default the trace file's own."""
        folder = self.path.parent if folder is None else folder
        with told(self.path):
            self._connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            try:
                with self._transaction() as committed:
                    run = self._add_run(info, outcome, trace, findings, folder)
                    committed.append(partial(stored, run))
                return run
            finally:
                bulk_load.release(self._connection)

    def _add_run(self, info: RunInfo, outcome: Outcome, trace: Trace, findings: Findings, folder: pathlib.Path) -> int:
        events_at = stored_by_site(trace.events)
        events = events_at.total()
        (last,) = self._connection.execute("SELECT max(rowid) FROM events").fetchone()
        place = {"events": events, "first_event": _next("events", last)}
        run = self._insert("runs", _run_row(info, outcome, trace, findings) | place)
        rows = SiteRows(self._connection, trace)
        site_rows = {site: rows.site(site) for site in events_at}
        location_rows = self._add_locations(run, trace)
        event_rows = partial(pieces, run, trace.events, findings.sources, site_rows, location_rows)
        bulk_load.load(self._connection, "events", events, event_rows, folder)
        place_rows = self._add_switches(run, trace, rows) | self._add_synchronisation(run, trace, rows)
        place_rows |= self._add_calls(run, trace, rows)
        self._add_findings(run, trace, findings, location_rows)
        self._add_protections(run, trace, findings.protections, location_rows, site_rows)
        events_of_row = Counter(dict.fromkeys(place_rows, 0))
        for site, count in events_at.items():
            events_of_row[site_rows[site]] += count
        self._insert_all("run_sites", ((run, site, count) for site, count in sorted(events_of_row.items())))
        self._insert_all(
            "unwoven",
            (
                (run, rows.file(code.file), code.function, code.first_line, code.unwoven)
                for code in trace.codes
                if code.unwoven is not None
            ),
        )
        self._insert_all(
            "modules",
            (
                (
                    *(run, each.name, None if each.file is None else rows.file(each.file)),
                    *(each.functions, each.unwoven, each.reason),
                )
                for each in trace.modules
            ),
        )
        self._insert_all(
            "threads",
            (
                (
                    *(run, each.thread, each.name, _signed(each.ident), _signed(each.native_id), each.started_by),
                    *(each.first_seq, each.last_seq, each.ended, each.task_of),
                )
                for each in trace.threads
            ),
        )
        return run

    def _insert(self, table: str, row: Mapping[str, object]) -> int:
        names, holes = ", ".join(row), ", ".join("?" * len(row))
        fields = [value if name in DOCUMENTS else _storable(value) for name, value in row.items()]
        added = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({holes})", fields)
        return int(added.lastrowid or 0)

    def _insert_all(self, table: str, rows: Iterator[tuple[Any, ...]]) -> None:
        """Insert rows of all columns, in order. A text that is too long to be read back is cut."""
        if table in NAMING:
            rows = (tuple(map(_storable, row)) for row in rows)
        width = len(self._connection.execute(f"SELECT * FROM {table} LIMIT 0").description)
        self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)

    def _next_id(self, table: str) -> int:
        (highest,) = self._connection.execute(f"SELECT max(id) FROM {table}").fetchone()
        return _next(table, highest)

    def _add_locations(self, run: int, trace: Trace) -> dict[int, int]:
        rows = {location: row for row, location in enumerate(trace.locations, self._next_id("locations"))}
        self._insert_all(
            "locations",
            (
                (
                    *(rows[number], run, each.kind.value, each.container_type, *to_sql(each.key), each.label),
                    *(each.certain, each.reads, each.writes, each.threads),
                )
                for number, each in trace.locations.items()
            ),
        )
        return rows

    def _add_switches(self, run: int, trace: Trace, rows: SiteRows) -> set[int]:
        """Gives the rows of the sites where the switches took place."""
        place_rows = {place: rows.switch_place(place) for place in {switch.place for switch in trace.switches} if place}
        self._insert_all(
            "switches",
            (
                (
                    *(run, switch.seq, switch.from_thread, switch.to_thread),
                    *(switch.place and place_rows[switch.place], _storable(switch.callee), switch.reason),
                    json.dumps(switch.awaited_by) if switch.awaited_by else None,
                )
                for switch in trace.switches
            ),
        )
        return set(place_rows.values())

    def _add_synchronisation(self, run: int, trace: Trace, rows: SiteRows) -> set[int]:
        """Gives the rows of the sites that led there."""
        first = self._next_id("sync_objects")
        object_rows = {each.id: row for row, each in enumerate(trace.sync_objects, first)}
        self._insert_all(
            "sync_objects",
            ((object_rows[each.id], run, each.type_name, each.label) for each in trace.sync_objects),
        )
        sites = {each.site for each in trace.synchronisation} - {None}
        site_rows = {site: rows.site(site) for site in sites if site is not None}
        self._insert_all(
            "synchronisation",
            (
                (
                    *(run, each.seq, each.earliest, each.thread, None if each.site is None else site_rows[each.site]),
                    *(None if each.object is None else object_rows[each.object], each.operation),
                    *(each.begins, each.failed, each.waited, each.holder, each.woken_by, each.inside, each.started),
                )
                for each in trace.synchronisation
            ),
        )
        return set(site_rows.values())

    def _add_calls(self, run: int, trace: Trace, rows: SiteRows) -> set[int]:
        """Gives the rows of the sites that they refer to."""
        calls = [each for each in trace.calls if each.stored]
        sites = {each.site for each in calls} | {each.call_site for each in calls if each.call_site is not None}
        site_rows = {site: rows.site(site) for site in sites}
        self._insert_all(
            "calls",
            (
                (
                    *(run, each.seq, each.thread, site_rows[each.site], each.frame, each.caller_seq),
                    None if each.call_site is None else site_rows[each.call_site],
                )
                for each in calls
            ),
        )
        return set(site_rows.values())

    def _add_findings(self, run: int, trace: Trace, findings: Findings, location_rows: Mapping[int, int]) -> None:
        first, first_group = self._next_id("findings"), self._next_id("finding_groups")
        object_rows = dict(zip((each.id for each in trace.sync_objects), self._sync_object_rows(run), strict=True))
        places = trace.events.places(seq for each in findings.found for seq in each.roles.values())
        rows = stored_before(trace.events, places)
        spans = [(min(each.roles.values()), max(each.roles.values())) for each in findings.found]
        self._insert_all(
            "finding_groups",
            (
                (first_group + number, run, group.kind, _plain(group.severity), group.fingerprint)
                for number, group in enumerate(findings.groups)
            ),
        )
        self._insert_all(
            "findings",
            (
                (
                    *(number, run, first_group + group, each.kind, _plain(each.severity), _plain(each.certainty)),
                    *(location_rows[each.locations[0]] if each.locations else None, *span),
                )
                for number, (each, group, span) in enumerate(
                    zip(findings.found, findings.group_of, spans, strict=True), first
                )
            ),
        )
        self._insert_all(
            "finding_events",
            (
                (number, role, seq, rows.get(seq))
                for number, each in enumerate(findings.found, first)
                for role, seq in sorted(each.roles.items())
            ),
        )
        self._insert_all(
            "finding_locations",
            (
                (number, location_rows[location])
                for number, each in enumerate(findings.found, first)
                for location in each.locations[1:]
            ),
        )
        self._insert_all(
            "finding_locks",
            ((number, object_rows[lock]) for number, each in enumerate(findings.found, first) for lock in each.locks),
        )
        self._insert_all(
            "finding_counts",
            (
                (
                    *(run, each.kind, None if each.location is None else location_rows[each.location]),
                    *(each.low, each.high, each.causes, each.exhausted),
                )
                for each in findings.counts
            ),
        )

    def _add_protections(
        self,
        run: int,
        trace: Trace,
        protections: Sequence[LocationProtection],
        location_rows: Mapping[int, int],
        site_rows: Mapping[int, int],
    ) -> None:
        object_rows = dict(zip((each.id for each in trace.sync_objects), self._sync_object_rows(run), strict=True))
        self._insert_all(
            "protections",
            (
                (
                    *(run, location_rows[each.location], _plain(each.protection), each.covers and _plain(each.covers)),
                    *(_plain(each.certainty), None if each.object is None else object_rows[each.object]),
                    None if each.carrier is None else f"{each.carrier.before}, then {each.carrier.after}",
                    site_rows[each.site],
                )
                for each in protections
            ),
        )

    def _sync_object_rows(self, run: int) -> list[int]:
        """The rows of the run's sync_objects, in the order in which they were added."""
        rows = self._connection.execute("SELECT id FROM sync_objects WHERE run_id = ? ORDER BY id", [run])
        return [number for (number,) in rows]


def _storable(field: Any) -> Any:
    return storable(field) if isinstance(field, str) else field


def _next(table: str, highest: int | None) -> int:
    """The number of the row after the highest one."""
    if highest is not None and not 0 < highest < MAX_INTEGER // 2:
        raise Damage(f"the last row of {table} has the number {highest}")
    return (highest or 0) + 1


def _sources_left_out(trace: Trace) -> Iterator[str]:
    for file in trace.files:
        if not is_kept(file):
            size = f"it has {len(file.source):,} bytes, more than the {MAX_SOURCE:,} that a trace file takes"
            yield f"the source of {storable(file.path)} is not kept: {size}"


def _run_row(info: RunInfo, outcome: Outcome, trace: Trace, findings: Findings) -> dict[str, object]:
    return {
        "started_at": info.started_at,
        "script": info.script,
        "argv": json.dumps(info.argv),
        "python": info.python,
        "implementation": info.implementation,
        "gil": info.gil,
        "switch_interval": info.switch_interval,
        "cwd": info.cwd,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal,
        "duration": outcome.duration,
        "recovered": outcome.recovered,
        "stdout_sha256": outcome.stdout_sha256,
        "stdout_tail": outcome.stdout_tail,
        "threads": sum(thread.task_of is None for thread in trace.threads),
        "tasks": sum(thread.task_of is not None for thread in trace.threads),
        "records": trace.records,
        "accesses": trace.accesses,
        "stored": trace.stored,
        "switches": len(trace.switches),
        "lost": sum(count.low for count in findings.counts if count.kind == "lost update"),
        "lost_at_most": sum(count.high for count in findings.counts if count.kind == "lost update"),
        "unseen": sum(count.low for count in findings.counts if count.kind == "unseen write"),
        "uncertain": findings.uncertain_locations,
        "missed": trace.missed,
        "holes": trace.holes,
        "truncated": trace.truncated,
        "truncated_seq": trace.truncated_seq,
        "last": trace.last,
        "let_go": trace.let_go,
        "births": trace.births,
        "functions": sum(code.unwoven is None for code in _of_program(trace)),
        "notes": json.dumps([*trace.notes, *_sources_left_out(trace)]),
        "children": trace.children,
        "inferred_functions": sum(code.unwoven is None and code.flow != Followed.FULL for code in trace.codes),
        "merged": json.dumps(trace.merged),
        "protections": len(findings.protections),
        "exception": outcome.exception,
        "interleaving": trace.interleaving,
    }


def _signed(number: int) -> int:
    """An unsigned 64-bit number as SQLite can store it."""
    return number - (1 << 64) if number > MAX_INTEGER else number


def _of_program(trace: Trace) -> Iterator[Code]:
    """Without those of the library's containers."""
    module_of = {file.id: file.module for file in trace.files}
    return (code for code in trace.codes if not is_of_container(module_of.get(code.file, ""), code.function))
