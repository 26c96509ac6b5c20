"""The sources of all writes of a run, in columns.

Most writes store what one read gave, changed by nothing that is recorded (`n += 1`), or a constant. Those are looked up
by a compiled pass over all events (`_passes.newest_reads`). Only if a write asks for more, and for more than never
happened, `sources.resolve` goes through the events of the functions that access the locations it writes, one by one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.analyse.sources import resolve
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import Events, Sources
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Flow

Array = npt.NDArray[Any]

PIECE = 1 << 16  # events that are looked at together


def sources_of(trace: Trace) -> Sources:
    """What every write and deletion is made of, and how sure that is."""
    events = trace.events
    found = Sources.none(events)
    size = max(max(trace.sites, default=0), int(events.site.max(initial=0))) + 1
    made_of = np.full(size, -1, np.int32)
    asked = np.zeros(size, np.uint8)
    plain = np.zeros((2, size), bool)  # of writes, and of deletions: those whose source needs no further look
    reduced = _Reduced(trace, size)
    for number, site in trace.sites.items():
        if site.flow is None:
            plain[1, number] = True  # what is deleted is made of nothing
            continue
        flow = reduced.flow(number, site.flow)
        if flow == Flow():
            plain[:, number] = True
        elif len(flow.reads) == 1 and flow.reads[0] != number and not (flow.writes or flow.phis):
            # nothing else in it can be proven: it counts only if that read is not the source
            plain[:, number] = flow == Flow(reads=flow.reads)
            made_of[number] = flow.reads[0]
            asked[flow.reads[0]] = 1
    entered = np.full(int(events.frame.max(initial=0)) + 1, -1, np.int32)
    failed = events.failed()
    kind = np.where(failed, 0, events.kind).astype(np.uint8) if failed.any() else events.kind  # nothing flows from them
    _passes.newest_reads(kind, events.site, events.location, events.frame, asked, made_of, entered, found.place)
    others = _others(events, plain)
    of_writes = _made_of_writes(events, found.place)
    found.place[of_writes] = -1  # such a write may only repeat the other one
    others = np.union1d(others[found.place[others] < 0], of_writes)
    if len(others):
        part = _concerned(trace, others)
        seen = events[part]
        seqs, certainties = resolve(replace(trace, events=seen))
        resolved = Sources.of(seen, seqs, certainties)
        wanted = np.zeros(len(events), bool)
        wanted[others] = True
        (which,) = np.nonzero(wanted[part] & (resolved.place >= 0))
        found.place[part[which]] = part[resolved.place[which]]
        found.certainty[part[which]] = resolved.certainty[which]
    return found


class _Reduced:
    """What of the flows there is any of in a trace: mostly one read, or nothing."""

    def __init__(self, trace: Trace, size: int) -> None:
        self._codes = {site: code.id for site, code in trace.site_codes.items()}
        self._called = _called(trace)
        occurring = np.zeros(size, bool)
        for start in range(0, len(trace.events), PIECE):
            occurring[trace.events.site[start : start + PIECE]] = True
        self._occurring = set(np.flatnonzero(occurring).tolist())
        self._defined = {
            (self._codes.get(number), site.phi)
            for number, site in trace.sites.items()
            if site.phi is not None and number in self._occurring
        }

    def flow(self, number: int, flow: Flow) -> Flow:
        """That of a site, without sites at which nothing happened, variables that were given nothing, and calls in
        which no woven code ran: what these gave is made of their operands alone."""
        code = self._codes.get(number)

        def there(sites: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(filter(self._occurring.__contains__, sites))

        return flow._replace(
            reads=there(flow.reads),
            writes=there(flow.writes),
            called_reads=there(flow.called_reads),
            called_writes=there(flow.called_writes),
            tested=there(flow.tested),
            failed=there(flow.failed),
            phis=tuple(phi for phi in flow.phis if (code, phi) in self._defined),
            called_phis=tuple(phi for phi in flow.called_phis if (code, phi) in self._defined),
            results=tuple(place for place in flow.results if code is None or (code, place) in self._called),
            parameters=flow.parameters if self._called else (),
        )


def _called(trace: Trace) -> set[tuple[int, int]]:
    """Where woven code was called from: the code object, and the offset of the instruction in it."""
    site_of = {call.seq: call.site for call in trace.calls}
    return {
        (trace.site_codes[site_of[call.caller_seq]].id, call.place)
        for call in trace.calls
        if call.place is not None and call.caller_seq in site_of
    }


def _others(events: Events, plain: Array) -> Array:
    """The places of the writes that need a further look."""
    found = [np.empty(0, np.int64)]
    for start in range(0, len(events), PIECE):
        kind, site = events.kind[start : start + PIECE], events.site[start : start + PIECE]
        (writes,) = np.nonzero((kind == EventKind.WRITE) | (kind == EventKind.DELETE))
        deletions = (kind[writes] == EventKind.DELETE).astype(np.intp)
        found.append(start + writes[~plain[deletions, site[writes]]])
    return np.concatenate(found)


def _made_of_writes(events: Events, source: Array) -> Array:
    """The places of those of which a write is the source: a call that reads and writes."""
    found = [np.empty(0, np.int64)]
    for start in range(0, len(events), PIECE):
        made = start + np.flatnonzero(source[start : start + PIECE] >= 0)
        found.append(made[events.kind[source[made]] == EventKind.WRITE])
    return np.concatenate(found)


def _concerned(trace: Trace, writes: Array) -> Array:
    """The places of the events that may tell what these writes are made of: all of the functions that access the same
    locations, and all accesses of these locations."""
    events = trace.events
    count = int(events.location.max(initial=-1)) + 2
    located = np.zeros(count, bool)  # the last one is for none
    located[events.location[writes]] = True
    located[-1] = False
    concerned = located[events.location]
    numbers: dict[int, int] = {}  # of the functions; what is in none counts as one
    function = np.zeros(int(events.site.max(initial=0)) + 1, np.int64)
    for site, code in trace.site_codes.items():
        if site < len(function):
            function[site] = numbers.setdefault(code.id, len(numbers) + 1)
    looking = np.zeros(len(numbers) + 1, bool)
    looking[function[events.site[concerned]]] = True
    # where activations begin, whoever called them
    return np.flatnonzero(concerned | looking[function[events.site]] | (events.kind == EventKind.ENTER))
