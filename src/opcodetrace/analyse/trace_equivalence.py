"""Classes of equivalent interleavings: of runs in which the same lanes made the same accesses, and all conflicting ones
in the same order.

Two accesses of a location conflict if different lanes made them and one of them writes. Runs that differ in the order
of other accesses alone are equivalent (Mazurkiewicz, "Trace theory", LNCS 255, 1987).

A class is given by three things: what each lane does, step by step; which of these steps are of one location; and of
each how many writes the location had had before. That number orders the writes; a read lies between two of them, and
the order of reads there does not matter. So each access is hashed with its place in its lane and with that number, the
sum of these hashes is the location's, and a sum of hashes of those is the class's: nothing need be sorted, and a
location needs no name that other runs know.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict, deque
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse import _passes
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.trace.run import Thread, Trace
from opcodetrace.trace.sync import Act

Array = npt.NDArray[Any]

MASK = (1 << 64) - 1
# Odd, with bits all over: places that follow each other get hashes that have nothing in common.
GOLDEN = 0x9E3779B97F4A7C15
SEQ_BITS = 40


def equivalence_class(trace: Trace, *, unseen_writes: bool) -> str | None:
    """The class of a run's interleaving: a hash, the same in all runs of the same code that belong to it.

    None if it is not known exactly: if records are missing, if lanes were not told apart or may not be those of other
    runs, if code that is not woven wrote to a shared location (`unseen_writes`), if it is not certain which cell a
    location is, or if two conflicting accesses are intervals that overlap."""
    if unseen_writes or trace.truncated is not None or trace.let_go or trace.missed or trace.holes or trace.merged:
        return None
    events = trace.events
    shared = np.zeros(int(events.location.max(initial=-1)) + 1, bool)
    for number, each in trace.locations.items():
        if number < len(shared) and each.threads > 1 and each.writes:
            shared[number] = True
            if not each.certain:
                return None
    lanes = np.zeros(int(events.thread.max(initial=0)) + 1, np.uint64)
    for lane, number in _lane_hashes(trace).items():
        if lane < len(lanes):
            lanes[lane] = number
    columns = (events.seq, events.before, events.thread, events.site, events.kind, events.location)
    found = _passes.interleaving(*columns, shared, lanes, _site_hashes(trace))
    return None if found is None else f"{found:016x}"


def _lane_hashes(trace: Trace) -> dict[int, int]:
    """Names of lanes, as hashes, by which they are known in other runs: a thread is the n-th one that its starter
    started. Lanes that have none are left out."""
    started: defaultdict[int, list[int | None]] = defaultdict(list)
    for sync in trace.synchronisation:
        if sync.operation == Act.START and not sync.begins and not sync.failed:
            started[sync.thread].append(sync.started)
    children = {lane for lanes in started.values() for lane in lanes}
    tasks: defaultdict[int, list[Thread]] = defaultdict(list)
    for each in sorted(trace.threads, key=lambda each: each.first_seq):
        if each.task_of is not None:
            tasks[each.task_of].append(each)
    hashes: dict[int, int] = {0: _hash("main")}
    strangers = [each for each in trace.threads if each.thread and each.task_of is None and each.thread not in children]
    times = Counter(each.name for each in strangers)
    hashes |= {each.thread: _hash("thread", each.name) for each in strangers if times[each.name] == 1}
    waiting = deque(hashes)
    while waiting:
        lane = waiting.popleft()
        for place, thread in enumerate(started[lane]):
            if thread is not None and thread not in hashes:
                hashes[thread] = _hash(hashes[lane], "starts", place)
                waiting.append(thread)
        named: Counter[str | None] = Counter()
        for task in tasks[lane]:
            hashes[task.thread] = _hash(hashes[lane], "task", task.name, named[task.name])
            named[task.name] += 1
            waiting.append(task.thread)
    return hashes


def _hash(*parts: object) -> int:
    text = repr(parts).encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _site_hashes(trace: Trace) -> Array:
    """By site: its source place and what is done there."""
    modules = {file.id: file.module for file in trace.files}
    sites = trace.events.site
    used = np.zeros(int(sites.max(initial=0)) + 1, bool)
    for start in range(0, len(sites), PIECE):
        used[sites[start : start + PIECE]] = True
    hashes = np.zeros(len(used), np.uint64)
    for number in np.flatnonzero(used).tolist():
        site, code = trace.sites.get(number), trace.site_codes.get(number)
        if site is not None and code is not None:
            hashes[number] = _hash(modules.get(code.file), code.function, site.line, site.column, str(site.operation))
    return hashes
