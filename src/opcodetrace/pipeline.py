"""The stages after a recording: what the spool holds is read, analysed and stored."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from opcodetrace.analyse.evidence import gather
from opcodetrace.analyse.trace_equivalence import equivalence_class
from opcodetrace.errors import SpoolError
from opcodetrace.findings import KINDS
from opcodetrace.findings.protocol import find_all, needs_of
from opcodetrace.ingest.ingest import ingest
from opcodetrace.spool import soundness
from opcodetrace.spool.folder import Meta, Spool
from opcodetrace.spool.records import SpooledRecords
from opcodetrace.spool.sites import read_sites
from opcodetrace.store.database import Database
from opcodetrace.trace.quantity import quantity
from opcodetrace.trace.redaction import is_location_redacted

NO_VALUES = (
    "no values were recorded (--no-values): each write may have put back what was there, so a loss is possible at most"
)


def check_whole(spool: Spool) -> None:
    """SpoolError if the spool has lost something that its run is made of."""
    if not spool.sites.exists():
        raise SpoolError(f"{spool.sites} is missing: nobody knows what the records are about")
    records = SpooledRecords.open(spool.window)
    records.check_whole(spool.window)
    soundness.check(records, spool.window, spool.read_options().last)
    if unknown := records.unknown_sites(site.id for code in read_sites(spool.sites).codes for site in code.sites):
        raise SpoolError(f"{spool.sites} is damaged: it lacks the instructions of {unknown:,} accesses")


def store_run(spool: Spool, meta: Meta, database: Path) -> tuple[int, list[str]]:
    """Spool -> trace -> findings -> database. Gives the run's number and what the user must know of it; the spool is
    gone then, whatever signal arrives meanwhile."""
    assert meta.outcome is not None
    options = spool.read_options()
    sites = read_sites(spool.sites)
    trace = ingest(
        spool.window,
        sites.files,
        sites.codes,
        keep_all=options.keep_all,
        max_records=options.max_events,
        last=options.last,
        needs=needs_of(KINDS),
    )
    remarks = sites.remarks()
    trace.modules = sites.modules()
    trace.notes += remarks
    if meta.lost:
        trace.notes.append(meta.lost)
    if not options.values:
        trace.notes.append(NO_VALUES)
    findings = find_all(KINDS, gather(trace))
    unseen_writes = any(count.high and not KINDS[count.kind].is_told for count in findings.counts)
    trace.interleaving = equivalence_class(trace, unseen_writes=unseen_writes)
    hidden = [each.id for each in trace.locations.values() if is_location_redacted(each, options.redact)]
    if hidden:  # after the findings, which need what the locations held
        trace.events = trace.events.without_values(hidden)
        trace.notes.append(f"values were left out (--redact): {quantity(len(hidden), 'location')}")
    exception = sites.exception
    if exception is not None and (hidden or not options.values):
        exception = exception.partition(":")[0]  # what it says may be one of these values
    outcome = replace(meta.outcome, exception=exception)
    info = replace(meta.info, gil=not trace.free_threaded)
    with contextlib.closing(Database.open(database, create=True)) as opened:
        return opened.add_run(info, outcome, trace, findings, spool.folder, spool.is_stored), remarks
