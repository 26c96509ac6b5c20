"""Lookups that a container of the library refuses by itself: `UserDict.__getitem__` asks whether the key is there, and
raises KeyError if not (Lib/collections/__init__.py). So the question is one access with the read after it, and fails if
there is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.call_structure import CallStructure
from opcodetrace.ingest.shared_accesses import Kept
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.trace.event import Raised
from opcodetrace.trace.events import Events, ValueTag
from opcodetrace.trace.site import Answer, Asked, Code, Operation, SourceFile

Array = npt.NDArray[Any]

_MODULE, _FUNCTION = "collections", "UserDict.__getitem__"
_RAISES = "raises"  # as `Test.answer`
_REFUSAL = Raised(KeyError.__name__)


def as_lookups(codes: Iterable[Code], files: Iterable[SourceFile]) -> Iterator[Code]:
    """The codes. Of such a function, its own check is none, and its result says what the lookup found."""
    of_library = {file.id for file in files if file.module == _MODULE}
    for code in codes:
        asked, read = _sites(code) if code.file in of_library and code.function == _FUNCTION else (None, None)
        if asked is None or read is None:
            yield code
            continue
        yield code._replace(
            sites=tuple(site._replace(tests=()) for site in code.sites),
            decisions=(),
            answers=(Answer("", Asked(read, "", "")), Answer(_RAISES, Asked(asked, _RAISES, ""))),
        )


def refused(kept: Kept, calls: CallStructure, table: SiteTable, codes: Iterable[Code]) -> Array:
    """The seqs of the questions that found nothing."""
    for code in codes:
        if code.function == _FUNCTION and any(answer.asked.answer == _RAISES for answer in code.answers):
            ids = [site.id for site in code.sites if site.operation in (Operation.CONTAINS, Operation.LOAD_SUBSCR)]
            (which,) = np.nonzero(np.isin(kept.site_ids, ids))
            activations = calls.activation(kept, which)
            order = np.lexsort((kept.seqs[which], activations))
            activations, which = activations[order], which[order]
            goes_on = np.r_[activations[1:] == activations[:-1], False]
            asks = np.isin(
                kept.site_ids[which], [site.id for site in code.sites if site.operation == Operation.CONTAINS]
            )
            return np.sort(kept.seqs[which[asks & ~goes_on & (activations >= 0)]])
    return np.empty(0, np.int64)


def as_failed(events: Events, seqs: Array) -> Events:
    """The events; the accesses with these seqs failed."""
    if not len(seqs):
        return events
    places = np.searchsorted(events.seq, seqs)
    others = list(events.others)
    if _REFUSAL not in others:
        others.append(_REFUSAL)
    tag, word = events.tag.copy(), events.word.copy()
    tag[places], word[places] = ValueTag.ABSENT, 1 + others.index(_REFUSAL)
    return replace(events, tag=tag, word=word, others=others)


def _sites(code: Code) -> tuple[int | None, int | None]:
    """The offsets of the question and of the read."""
    offsets = {site.operation: site.offset for site in code.sites}
    return offsets.get(Operation.CONTAINS), offsets.get(Operation.LOAD_SUBSCR)
