"""Lookups that a container of the library refuses by itself: `UserDict.__getitem__` asks whether the key is there, and
raises KeyError if not (Lib/collections/__init__.py). So the question is one access with the read after it, and fails if
there is none.

Not in a program with a `__missing__`, which such a function calls before it raises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest.call_structure import CallStructure
from opcodetrace.ingest.shared_accesses import Kept
from opcodetrace.trace.event import Raised
from opcodetrace.trace.events import Events, ValueTag
from opcodetrace.trace.site import Answer, Asked, Code, Operation, SourceFile

Array = npt.NDArray[Any]

_MODULE, _FUNCTION = "collections", "UserDict.__getitem__"
_RAISES = "raises"  # as `Test.answer`
_REFUSAL = Raised(KeyError.__name__)


class RefusedLookups:
    """Those of a run; none, if nothing of the kind was woven."""

    def __init__(self, codes: Sequence[Code], files: Iterable[SourceFile]) -> None:
        of_library = {file.id for file in files if file.module == _MODULE}
        makes_it = any(code.function.rpartition(".")[2] == "__missing__" for code in codes)
        self._codes = [
            code for code in codes if code.file in of_library and code.function == _FUNCTION and not makes_it
        ]

    def as_lookups(self, codes: Iterable[Code]) -> list[Code]:
        """The codes. Of such a function, its own check is none, and its result says what the lookup found."""
        numbers = {code.id for code in self._codes}
        return [_as_lookup(code) if code.id in numbers else code for code in codes]

    def of(self, kept: Kept, calls: CallStructure) -> Array:
        """The seqs of the questions that found nothing."""
        questions, reads = (
            [site.id for code in self._codes for site in code.sites if site.operation == operation]
            for operation in (Operation.CONTAINS, Operation.LOAD_SUBSCR)
        )
        if not questions:
            return np.empty(0, np.int64)
        asked, found = (np.flatnonzero(np.isin(kept.site_ids, sites)) for sites in (questions, reads))
        activations = calls.activation(kept, asked)
        refused = (activations >= 0) & ~np.isin(activations, calls.activation(kept, found))
        seqs: Array = kept.seqs[asked[refused]]
        return seqs


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


def _as_lookup(code: Code) -> Code:
    offsets = {site.operation: site.offset for site in code.sites}
    asked, read = offsets[Operation.CONTAINS], offsets[Operation.LOAD_SUBSCR]
    return code._replace(
        sites=tuple(site._replace(tests=()) for site in code.sites),
        decisions=(),
        answers=(Answer("", Asked(read, "", "")), Answer(_RAISES, Asked(asked, _RAISES, ""))),
    )
