"""The thread switches of a run: where each thread stood that lost the GIL, and why."""

from __future__ import annotations

from collections.abc import Sequence

from opcodetrace.ingest.labels import Labels
from opcodetrace.ingest.values import Interned
from opcodetrace.spool.layout import RecordKind, SwitchFlag
from opcodetrace.spool.records import Survey
from opcodetrace.trace.site import Code, SwitchPoint
from opcodetrace.trace.switch import Reason, Switch, SwitchPlace


def switches_of(seen: Survey, interned: Interned, codes: Sequence[Code], labels: Labels) -> list[Switch]:
    places = _SwitchPlaces(codes, labels)
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
                callee=callee if isinstance(callee, str) else None,
                reason=_reason(flags, preempts=places.preempts(code, offset)),
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

    def __init__(self, codes: Sequence[Code], labels: Labels) -> None:
        self._points = {(code.id, point.woven_offset): (code, point) for code in codes for point in code.switch_points}
        self._labels = labels
        self._places: dict[tuple[int, int], SwitchPlace] = {}

    def at(self, code_id: int, woven_offset: int) -> SwitchPlace | None:
        key = (code_id, woven_offset)
        if key not in self._places and key in self._points:
            self._places[key] = self._place(*self._points[key])
        return self._places.get(key)

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
