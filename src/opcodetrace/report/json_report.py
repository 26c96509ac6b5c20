"""The report as JSON, for programs.

The document's `schema` is `opcodetrace-report/2`. Within version 2 members may be added, never removed, renamed or
given another meaning. What is not known is null. Seqs are positions in the recording: a greater one is later, unless
an access has an `earliest` below its `seq`: then it happened somewhere from `earliest` to `seq`.

    schema          "opcodetrace-report/2"
    run             id, script, argv, cwd, started_at, python, free_threaded, switch_interval, duration (seconds),
                    exit_code, signal, records, accesses, stored, switches, functions (woven), tasks (asyncio),
                    children (processes that it started, or null if not counted),
                    merged: what took turns within a thread and was taken for one thread ["greenlets", "coroutines"]
    found           [tally]: how much was found, by kind
    threads         [thread (number), name, started_by (number), started_at (site, or null), first_seq, last_seq,
                    ended]
    locations       [label, cells (locations that bear it), reads, writes, threads, found: [tally], uncertain (cells
                    left out because their identity is not certain)]
    findings        [kind, severity (happened, possible or gil-only), certainty (proven or inferred), label, count,
                    locations (how many), labels: [text] (of the first of these), fingerprint (the same in every run of
                    the same code, or null), sites: {role: site}, sentences: [text], interleaving or null,
                    held: [thread, throughout, at_read, at_write: [object]], like (the number, from 1, of a finding
                    of the same shape that is told step by step, if this one is not for that reason, or null)]
                    one for each kind, severity and set of source lines: what happened before what is possible, the most
                    frequent first; `held`: the locks of the threads that play its roles
    protected       [label, cells, why (lock, semaphore, order or nothing), certainty, doubts: [text], updates, threads:
                    [number], objects: [object], phases (not all had the same one), apart (updates made without it, but
                    ordered), carriers: [before, after, object or null], sentences: [text], hand_over (interleaving or
                    null)]: why locations that several threads updated lost nothing
    more_protected  how many more of those there are
    more_findings   [kind, severity, count, locations, labels, fingerprint]: what `findings` leaves out
    limits          truncated (reason or null), truncated_seq, last (how many events were to be kept, or null), let_go
                    (events that came before those), unseen_writes, missed_accesses, holes, recovered,
                    births_seen, untold_synchronisation (steps, if they are too many to look into),
                    unwoven: [function, path, line, reason], notes: [text]

A tally is {kind, least, most, causes (distinct events that brought them about), exhausted}: how many findings there
are in every order that agrees with the trace, and in some; `exhausted`: the search for orders was cut short.

An object (of synchronisation) is {label, type}.

A site is {path, line, column, end_line, end_column, function, operation, opcode, expression, source}.

An interleaving is {label, same_version, threads: [number], steps}. A step's `step` is:

    read, write, delete   seq, earliest, thread, site, value, role, unordered, remark
                          role: one of the kind's roles, origin (of what the first step reads), or null
    compute               seq (its own, or of the write that stored the result as it was), thread, site, operation,
                          value, operand (the value read that flowed into it)
    switch                seq, recorded (else only the threads are known), from_thread, to_thread,
                          reason (blocked, yielded, preempted, awaited, ended or null), callee,
                          place: {path (or null), function, line, opcode, offset, expression} or null,
                          awaited_by: [function, path, line] (of a task: the coroutines that await the one in which it
                          stands, the innermost first)
    synchronise           seq (if an RLock's wait begins: of the record before that), thread, site or null,
                          operation, object or null, begins (the thread may wait now), failed, waited (seconds or
                          null), holder, woken_by, other (the thread started or joined): numbers or null
    fold                  seq, reads, writes, accesses (of the same location), elsewhere (on others), switches, threads,
                          synchronisation (steps), alike (the threads did, one after the other, what the steps of
                          the one before show: they are no column of their own)

A value is null if it is not known, {raised} with the exception's type if the access failed, else {type, text} and, for
an int of at most 53 bits, a finite float, a bool, a str and None, `value`; for other objects `identity`: a number that
no other object of the run has, null if it is unknown which object it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import ClassVar, TextIO

from opcodetrace.report.words import finding as finding_words
from opcodetrace.report.words import protection as protection_words
from opcodetrace.report.words.finding import StoryTeller
from opcodetrace.report.words.text import literal
from opcodetrace.trace.event import Absent, Opaque, Raised, Value
from opcodetrace.trace.finding import FindingGroup, Tally
from opcodetrace.trace.report_model import Interleaving, Protected, RunReport, Story, WatchedLocation
from opcodetrace.trace.report_step import AccessStep, ComputeStep, FoldStep, Step, SwitchStep, SyncStep
from opcodetrace.trace.run import Thread
from opcodetrace.trace.stored import StoredSite
from opcodetrace.trace.sync import SyncObject

SCHEMA = "opcodetrace-report/2"

Json = dict[str, object]


class JsonReporter:
    """One JSON document."""

    name: ClassVar[str] = "json"
    extension: ClassVar[str] = ".json"

    def __init__(self, indent: int | None = 2) -> None:
        self._indent = indent

    def write(self, report: RunReport, stream: TextIO) -> None:
        """Write the report."""
        json.dump(_document(report), stream, indent=self._indent, ensure_ascii=True, allow_nan=False)
        stream.write("\n")


def _document(report: RunReport) -> Json:
    run = report.run
    return {
        "schema": SCHEMA,
        "run": {
            "id": run.id,
            "script": run.info.script,
            "argv": list(run.info.argv),
            "cwd": run.info.cwd,
            "started_at": run.info.started_at,
            "python": run.info.python,
            "free_threaded": report.free_threaded,
            "switch_interval": run.info.switch_interval,
            "duration": run.outcome.duration,
            "exit_code": run.outcome.exit_code,
            "signal": run.outcome.signal,
            "records": run.records,
            "accesses": run.accesses,
            "stored": run.stored,
            "switches": run.switches,
            "functions": run.functions,
            "tasks": run.tasks,
            "children": run.children,
            "merged": [each.value for each in run.merged],
        },
        "found": [_tally(tally) for tally in run.found],
        "threads": [_thread(thread, report.started_at.get(thread.thread)) for thread in report.threads],
        "locations": [_watched(watched) for watched in report.watched],
        "findings": [_story(story, report) for story in report.stories],
        "protected": [_protected(each, report) for each in report.protected],
        "more_protected": report.more_protected,
        "more_findings": [_group(group) for group in report.more],
        "limits": {
            "truncated": run.truncated and run.truncated.value,
            "truncated_seq": run.truncated_seq,
            "last": run.last,
            "let_go": run.let_go,
            "unseen_writes": run.unseen,
            "missed_accesses": run.missed,
            "holes": run.holes,
            "recovered": run.outcome.recovered,
            "births_seen": run.births,
            "untold_synchronisation": report.untold_synchronisation,
            "unwoven": [
                {"function": each.function, "path": each.path, "line": each.line, "reason": each.reason}
                for each in report.unwoven
            ],
            "notes": list(run.notes),
        },
    }


def _thread(thread: Thread, started_at: StoredSite | None) -> Json:
    return {
        "thread": thread.thread,
        "name": thread.name,
        "started_by": thread.started_by,
        "started_at": None if started_at is None else _site(started_at),
        "first_seq": thread.first_seq,
        "last_seq": thread.last_seq,
        "ended": thread.ended,
    }


def _watched(watched: WatchedLocation) -> Json:
    return {
        "label": watched.label,
        "cells": watched.cells,
        "reads": watched.reads,
        "writes": watched.writes,
        "threads": watched.threads,
        "found": [_tally(tally) for tally in watched.found],
        "uncertain": watched.uncertain,
    }


def _tally(tally: Tally) -> Json:
    return {
        "kind": tally.kind,
        "least": tally.low,
        "most": tally.high,
        "causes": tally.causes,
        "exhausted": tally.exhausted,
    }


def _group(group: FindingGroup) -> Json:
    return {
        "kind": group.kind,
        "severity": group.severity.value,
        "count": group.count,
        "locations": group.locations,
        "labels": list(group.labels),
        "fingerprint": group.fingerprint,
    }


def _story(story: Story, report: RunReport) -> Json:
    told, teller = story.interleaving, finding_words.teller(story, report)
    return {
        "kind": story.kind.name,
        "severity": story.severity.value,
        "certainty": story.certainty.value,
        "label": story.label,
        "count": story.count,
        "locations": story.locations,
        "labels": list(story.labels),
        "fingerprint": story.fingerprint,
        "like": story.like,
        "sites": {role: _site(site) for role, site in story.sites.items()},
        "sentences": [] if teller is None else [*teller.sentences(), teller.how_sure()],
        "interleaving": None if told is None else _interleaving(told, teller),
        "held": [
            {
                "thread": each.thread,
                "throughout": _objects(each.throughout, report),
                "at_read": _objects(each.at_read, report),
                "at_write": _objects(each.at_write, report),
            }
            for each in story.held
        ],
        "held_elsewhere": None
        if story.held_elsewhere is None
        else {"lock": _objects([story.held_elsewhere.lock], report)[0], "writes": story.held_elsewhere.writes},
    }


def _protected(protected: Protected, report: RunReport) -> Json:
    verdict = protected.verdict
    return {
        "label": protected.label,
        "cells": protected.cells,
        "why": verdict.why.value,
        "certainty": verdict.certainty.value,
        "doubts": [doubt.value for doubt in verdict.doubts],
        "updates": verdict.updates,
        "threads": list(verdict.threads),
        "objects": _objects(verdict.objects, report),
        "phases": verdict.phases,
        "apart": verdict.apart,
        "carriers": [
            {
                "before": each.before,
                "after": each.after,
                "object": None if each.object is None else _object(report.objects[each.object]),
            }
            for each in verdict.carriers
        ],
        "sentences": [
            protection_words.protection(protected, report),
            protection_words.protection_certainty(protected, report),
        ],
        "hand_over": None if protected.hand_over is None else _interleaving(protected.hand_over),
    }


def _objects(numbers: Iterable[int], report: RunReport) -> list[Json]:
    return [_object(report.objects[each]) for each in sorted(numbers)]


def _object(each: SyncObject) -> Json:
    return {"label": each.label, "type": each.type_name}


def _interleaving(interleaving: Interleaving, teller: StoryTeller | None = None) -> Json:
    return {
        "label": interleaving.label,
        "same_version": interleaving.same_version,
        "threads": [lane.thread for lane in interleaving.lanes],
        "steps": [_step(step, teller) for step in interleaving.steps],
    }


def _step(step: Step, teller: StoryTeller | None) -> Json:
    match step:
        case AccessStep():
            return {
                "step": step.kind.name.lower(),
                "seq": step.seq,
                "earliest": step.earliest,
                "thread": step.thread,
                "site": _site(step.site),
                "value": _value(step.value),
                "role": step.role,
                "unordered": step.unordered,
                "remark": None if teller is None else teller.remark(step),
            }
        case ComputeStep():
            return {
                "step": "compute",
                "seq": step.seq,
                "thread": step.thread,
                "site": _site(step.site),
                "operation": step.operation,
                "value": _value(step.value),
                "operand": _value(step.operand),
            }
        case SwitchStep():
            switch, place = step.switch, step.switch.place
            return {
                "step": "switch",
                "seq": switch.seq,
                "recorded": step.recorded,
                "from_thread": switch.from_thread,
                "to_thread": switch.to_thread,
                "reason": switch.reason and switch.reason.value,
                "callee": switch.callee,
                "awaited_by": [each._asdict() for each in switch.awaited_by],
                "place": place and {
                    "path": step.path,
                    "function": place.function,
                    "line": place.line,
                    "opcode": place.opcode,
                    "offset": place.offset,
                    "expression": place.expression,
                },
            }  # fmt: skip
        case SyncStep():
            return {
                "step": "synchronise",
                "seq": step.seq,
                "thread": step.thread,
                "site": None if step.site is None else _site(step.site),
                "operation": step.operation,
                "object": None if step.object is None else _object(step.object),
                "begins": step.begins,
                "failed": step.failed,
                "waited": step.waited,
                "holder": step.holder,
                "woken_by": step.woken_by,
                "other": step.other,
                "role": step.role,
            }
        case FoldStep():
            return {
                "step": "fold",
                "seq": step.seq,
                "reads": step.reads,
                "writes": step.writes,
                "accesses": step.accesses,
                "elsewhere": step.elsewhere,
                "switches": step.switches,
                "alike": step.alike,
                "threads": list(step.threads),
                "synchronisation": step.synchronisation,
            }


def _site(site: StoredSite) -> Json:
    return {
        "path": site.path,
        "line": site.line,
        "column": site.column,
        "end_line": site.end_line,
        "end_column": site.end_column,
        "function": site.function,
        "operation": site.operation,
        "opcode": site.opcode,
        "expression": site.expression,
        "source": site.source_line,
    }


def _value(value: Value) -> Json | None:
    """A value as JSON can hold it: no NaN, no int that a double cannot hold."""
    match value:
        case Absent():
            return None
        case Raised():
            return {"raised": value.type_name}
        case Opaque():
            return {"type": value.type_name, "text": str(value), "identity": value.identity}
        case None:
            return {"type": "NoneType", "text": "None", "value": None}
        case bytes():
            return {"type": "bytes", "text": repr(value)}
    described: Json = {"type": type(value).__name__, "text": literal(value)}
    exact = (
        isinstance(value, str)
        or (isinstance(value, int) and abs(value) < 1 << 53)
        or (isinstance(value, float) and math.isfinite(value))
    )
    if exact:
        described["value"] = value
    return described
