"""The thread switches of a run: where each thread stood that lost the GIL, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from opcodetrace.ingest.labels import Labels
from opcodetrace.ingest.values import Interned
from opcodetrace.spool.layout import RecordKind, SwitchFlag
from opcodetrace.spool.records import Survey
from opcodetrace.trace.site import Code, SourceFile, SwitchPoint
from opcodetrace.trace.switch import Awaiting, Reason, Switch, SwitchPlace

AWAITING = re.compile(r"\d+:\d+(,\d+:\d+)*", re.ASCII)


def switches_of(
    seen: Survey, interned: Interned, codes: Sequence[Code], labels: Labels, files: Iterable[SourceFile]
) -> list[Switch]:
    places = _SwitchPlaces(codes, labels, files)
    which = seen.control_kinds == RecordKind.SWITCH
    rows = seen.control[which]
    switches = []
    columns = zip(
        seen.control_seqs[which].tolist(),
        rows["container"].tolist(),
        rows["thread"].tolist(),
        rows["site"].tolist(),
        rows["key"].tolist(),
        rows["before"].tolist(),
        interned.values(rows["tags"] >> 4, rows["value"].copy()),
        strict=True,
    )
    for seq, from_thread, to_thread, code, offset, flags, callee in columns:
        if from_thread == to_thread:
            continue
        place = None if flags & SwitchFlag.GONE else places.at(code, offset)
        switches.append(
            Switch(
                seq=seq,
                from_thread=from_thread,
                to_thread=to_thread,
                place=place,
                callee=callee if isinstance(callee, str) and not flags & SwitchFlag.AWAITS else None,
                reason=_reason(flags, preempts=places.preempts(code, offset)),
                awaited_by=places.awaiting(callee) if flags & SwitchFlag.AWAITS and isinstance(callee, str) else (),
            )
        )
    return switches


def _reason(flags: int, *, preempts: bool) -> Reason | None:
    if flags & SwitchFlag.GONE:
        return Reason.ENDED
    if flags & SwitchFlag.AWAITS:
        return Reason.AWAITED
    if flags & SwitchFlag.YIELD:
        return Reason.YIELDED
    if flags & SwitchFlag.IN_CALL:
        return Reason.BLOCKED
    return Reason.PREEMPTED if flags & SwitchFlag.TOP and preempts else None


class _SwitchPlaces:
    """The places that SWITCH records name, each made once."""

    def __init__(self, codes: Sequence[Code], labels: Labels, files: Iterable[SourceFile]) -> None:
        self._points = {(code.id, point.woven_offset): (code, point) for code in codes for point in code.switch_points}
        self._labels = labels
        self._paths = {file.id: file.path for file in files}
        self._places: dict[tuple[int, int], SwitchPlace] = {}
        self._awaiting: dict[str, tuple[Awaiting, ...]] = {}

    def at(self, code_id: int, woven_offset: int) -> SwitchPlace | None:
        key = (code_id, woven_offset)
        if key not in self._places and key in self._points:
            self._places[key] = self._place(*self._points[key])
        return self._places.get(key)

    def awaiting(self, text: str) -> tuple[Awaiting, ...]:
        """The coroutines that a text names: 3:24,5:60. None if it is no such text (a damaged record)."""
        if text not in self._awaiting:
            pairs = [pair.split(":") for pair in text.split(",")] if AWAITING.fullmatch(text) else []
            places = [self.at(int(code), int(offset)) for code, offset in pairs]
            self._awaiting[text] = tuple(
                Awaiting(place.function, self._paths[place.file], place.line) for place in places if place is not None
            )
        return self._awaiting[text]

    def preempts(self, code_id: int, woven_offset: int) -> bool:
        """Whether the interpreter itself may take the GIL away at this instruction."""
        key = (code_id, woven_offset)
        return key in self._points and self._points[key][1].preempts

    def _place(self, code: Code, point: SwitchPoint) -> SwitchPlace:
        source = self._labels.source(code.file)
        return SwitchPlace(
            file=code.file,
            function=code.function,
            line=point.line,
            opcode=point.opcode,
            offset=point.offset,
            expression=source.expression(point.line, point.column, point.end_line, point.end_column),
        )
