"""Checks that are made in one function and acted on in another: `if not self.has(key): self.add(key)`.

What decides upon an access within a function is known from the code (`Site.tests`). Here that is followed along the
calls of the run: up from the access to the call that a branch decided upon, and from there down into the function whose
result that branch tested (`Code.decisions`, `Code.answers`). That is control dependence across functions: Horwitz, Reps
and Binkley, "Interprocedural slicing using dependence graphs" (1990).

A function counts as the one that gave the result only if it has the name by which it was called: a callback that C code
runs meanwhile (`any(map(self.has, keys))`) gives its result to something else.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.activations import Activations
from opcodetrace.analyse.all_sources import PIECE
from opcodetrace.analyse.chosen import Chosen
from opcodetrace.analyse.made_of import called_name
from opcodetrace.analyse.mixed_in import MixedIn
from opcodetrace.analyse.refusals import keeps_from
from opcodetrace.analyse.waiting_loops import WaitingLoops
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import MORE, RETURNS, Asked, Code, Operation, asks_more

Array = npt.NDArray[Any]
Tests = Mapping[int, Mapping[int, str]]  # by the site of an access: the sites of its tests, and what each must find

DEEPEST = 8  # calls from a decision up to an access, or down to a check
MOST_CALLERS = 200  # functions from which one may have been called, at any depth, that are looked at
_RESULTS = {"present": "true", "absent": "false"}  # of __contains__
_SERVES = frozenset(["__getattr__", "__getattribute__", "__get__"])  # `o.x`
_TRUTHS = frozenset(["__bool__", "__len__"])
_MARKERS = (Operation.ENTER, Operation.DEFINE)


class CalledCheck(NamedTuple):
    """A check, and how it was come to."""

    answer: str  # what it found (`trace.site.Test`)
    way: tuple[tuple[int, int], ...]  # code objects and offsets, from the check up to where its result was tested
    calls: tuple[tuple[int, int], ...] = ()  # from the access up to the call that was decided upon: files and lines
    refuses: bool = False  # it was made by a function that raises if it finds something else


class CalledChecks:
    """Those of a trace. None if some calls or accesses may be missing."""

    def __init__(self, trace: Trace, activations: Activations) -> None:
        self._trace = trace
        self.activations = activations
        self._events = trace.events
        self._came_back: dict[tuple[int, int], tuple[Asked, ...]] = {}
        self._is_known = not (trace.let_go or trace.merged or trace.missed or trace.holes)

    @cached_property
    def _mixed_in(self) -> MixedIn:
        return MixedIn(self.activations.syntax)

    @cached_property
    def _loops(self) -> WaitingLoops:
        return WaitingLoops(self._trace)

    @cached_property
    def _lines(self) -> dict[tuple[int, int], int]:
        """By code object and offset: the lines of accesses, and of what may suspend a thread."""
        found: dict[tuple[int, int], int] = {}
        for code in self._trace.codes:
            for offset, line in (
                *((point.offset, point.line) for point in code.switch_points),
                *((site.offset, site.line) for site in code.sites),
            ):
                if line is not None:
                    found[code.id, offset] = line
        return found

    @cached_property
    def _chosen(self) -> Chosen:
        return Chosen(self._trace, self.activations)

    @cached_property
    def tests(self) -> Tests:
        """By the site of an access: the sites of the checks that may have decided upon it, and what these found; ""
        if that differs."""
        if not self._is_known:
            return {}
        found = self._decided if any(code.decisions for code in self._trace.codes) else {}
        for act, checks in self._chosen.tests.items():
            _add(found.setdefault(act, {}), iter(checks.items()))
        return found

    @cached_property
    def _decided(self) -> dict[int, dict[int, str]]:
        found: dict[int, dict[int, str]] = {}
        for code in self._trace.codes:
            above = self._above(code.id)
            for site in code.sites:
                if site.operation in _MARKERS:
                    continue
                tests = dict(above)
                for asked in self._asked(code, site.offset):
                    _add(tests, self._results(code.id, asked, 0))
                tests.pop(site.id, None)
                if tests:
                    found[site.id] = tests
        return found

    @cached_property
    def _codes(self) -> dict[int, Code]:
        return {code.id: code for code in self._trace.codes}

    @cached_property
    def _decisions(self) -> dict[tuple[int, int], tuple[Asked, ...]]:
        """By code object and offset."""
        return {
            (code.id, place): decision.asked
            for code in self._trace.codes
            for decision in code.decisions
            for place in decision.places
        }

    def _asked(self, code: Code, offset: int) -> tuple[Asked, ...]:
        """By what was answered it was decided that something is executed; and what was called before it that would
        have raised otherwise: `self.check_free(key)`, then `self.d[key] = item`."""
        found = self._decisions.get((code.id, offset), ())
        refusing = self._refusing.get(code.id)
        if refusing is None:
            return found
        known = self._came_back.get((code.id, offset))
        if known is None:
            tree, node = self.activations.syntax.tree(code.file), self.activations.node_at(code, offset)
            known = tuple(asked for call, asked in refusing if node is not None and keeps_from(tree, call, node))
            self._came_back[code.id, offset] = known
        return (*known, *found)

    @cached_property
    def _refusing(self) -> dict[int, list[tuple[ast.AST, Asked]]]:
        """By code object: the calls of functions of which it says something that they came back (`RETURNS`)."""
        found: defaultdict[int, list[tuple[ast.AST, Asked]]] = defaultdict(list)
        refuses = {code.id for code in self._trace.codes if any(each.result == RETURNS for each in code.answers)}
        for (caller, place), called in sorted(self._called[0].items()) if refuses else ():
            node = self.activations.node_at(self._codes[caller], place) if not called.isdisjoint(refuses) else None
            if isinstance(node, ast.Await):
                node = node.value
            if isinstance(node, ast.Call):
                found[caller].append((node, Asked(place, RETURNS, called_name(node.func))))
        return found

    def decides(self, check: int, site: int) -> bool:
        """Whether the code says that what a site of the same function does is done by what a check found."""
        return self.answer(check, site) is not None

    def answer(self, check: int, site: int) -> str | None:
        """What it says that the check found."""
        code, own = (self._trace.site_codes[each] for each in (site, check))
        offset = self._trace.sites[check].offset
        asked = self._decisions.get((code.id, self._trace.sites[site].offset), ()) if code.id == own.id else ()
        return next((each.answer for each in asked if each.offset == offset), None)

    def is_decided(self, code: Code, offset: int, asked: int) -> bool:
        """Whether what stands at an offset of a function is executed by what another instruction of it gave."""
        return any(each.offset == asked for each in self._asked(code, offset))

    def decides_both(self, one: int, other: int) -> bool:
        """Whether the code says that what two sites of a function do is done by the same branch."""
        code, own = (self._trace.site_codes[each] for each in (one, other))
        both = {self._trace.sites[each].offset for each in (one, other)}
        return code.id == own.id and any(both.issubset(decision.places) for decision in code.decisions)

    @cached_property
    def _reads(self) -> dict[tuple[int, int], list[int]]:
        """By code object and offset: the sites that read there."""
        found: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for code in self._trace.codes:
            for site in code.sites:
                if site.operation not in _MARKERS and not site.operation.startswith(("BINARY", "STORE", "DELETE")):
                    found[code.id, site.offset].append(site.id)
        return found

    @cached_property
    def _loads(self) -> set[tuple[int, int]]:
        """By code object and offset: where attributes are read."""
        codes = self._trace.codes
        return {
            (code.id, each.offset) for code in codes for each in code.sites if each.operation == Operation.LOAD_ATTR
        }

    @cached_property
    def _called(self) -> tuple[dict[tuple[int, int], set[int]], dict[int, set[tuple[int, int]]]]:
        """Which code objects were called from where; and the other way round."""
        seqs, sites, callers, places = self.activations.columns
        at = np.minimum(np.searchsorted(seqs, callers), max(len(seqs) - 1, 0))
        known = (places >= 0) & (seqs[at] == callers) if len(seqs) else np.zeros(0, bool)
        width, length = int(sites.max(initial=0)) + 1, int(places.max(initial=0)) + 1
        edges = np.unique((sites[at[known]] * width + sites[known]) * length + places[known])
        code_of = self._trace.site_codes
        down: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
        up: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
        for edge in edges.tolist():
            both, place = divmod(edge, length)
            caller, called = (code_of[site].id for site in divmod(both, width))
            down[caller, place].add(called)
            up[called].add((caller, place))
        return down, up

    def _above(self, code: int) -> dict[int, str]:
        """The checks that may have decided that a function was called, or the one that called it."""
        found: dict[int, str] = {}
        known, fresh = {code}, [code]
        for _ in range(DEEPEST):
            edges = {
                edge
                for each in fresh
                for edge in self._called[1].get(each, ())
                if self._leads_up(self._codes[each], *edge)
            }
            for caller, place in edges:
                for asked in self._asked(self._codes[caller], place):
                    reads = self._reads.get((caller, asked.offset), ()) if asked.answer != RETURNS else ()
                    _add(found, ((site, asked.answer) for site in reads))
                    _add(found, self._results(caller, asked, 0))
            fresh = [caller for caller in {caller for caller, _ in edges} if caller not in known]
            known.update(fresh)
            if not fresh or len(known) > MOST_CALLERS:
                break
        return found

    def _results(self, code: int, asked: Asked, depth: int) -> Iterator[tuple[int, str]]:
        """The checks that may have given what was asked for, and what they found."""
        for called in self._called[0].get((code, asked.offset), ()) if depth < DEEPEST else ():
            for each in self._answers(self._codes[called], asked, code):
                for site in self._reads.get((called, each.offset), ()):
                    yield site, each.answer
                yield from self._results(called, each, depth + 1)

    def _leads_up(self, code: Code, caller: int, place: int) -> bool:
        """Whether who called a function had decided that what it does is done. A generator goes on later, unless the
        caller waits for all of it (`await`, `yield from`); a finaliser runs anywhere."""
        is_run = not code.signature.resumes or (caller, place) in self._awaits
        return is_run and not code.function.endswith(".__del__")

    @cached_property
    def _awaits(self) -> set[tuple[int, int]]:
        """By code object and offset: where a coroutine runs what it awaits."""
        return {
            (code.id, each.offset) for code in self._trace.codes for each in code.switch_points if each.opcode == "SEND"
        }

    @cached_property
    def _locations(self) -> dict[int, Array]:
        """By the site of a check: the locations that it read."""
        events = self._events
        checks = np.array(sorted({check for tests in self.tests.values() for check in tests}), np.int64)
        is_check = np.zeros(max(int(events.site.max(initial=0)), int(checks.max(initial=0))) + 1, bool)
        is_check[checks] = True
        size = int(events.location.max(initial=-1)) + 1
        found = [np.empty(0, np.int64)]
        for start in range(0, len(events) if len(checks) else 0, PIECE):
            part = slice(start, start + PIECE)
            reads = is_check[events.site[part]] & (events.kind[part] == EventKind.READ) & (events.location[part] >= 0)
            found.append(np.unique(events.site[part][reads].astype(np.int64) * size + events.location[part][reads]))
        read = np.unique(np.concatenate(found))
        bounds = np.searchsorted(read, np.append(checks, checks[-1:] + 1) * size)
        return {
            check: read[begin:end] - check * size
            for check, begin, end in zip(checks.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
            if begin < end
        }

    def may_have_decided(self, acts: Array) -> Array:
        """Of each access, whether its location was read by a check that may decide upon it."""
        events = self._events
        found = np.zeros(len(acts), bool)
        if not self.tests:
            return found
        order = np.argsort(events.site[acts], kind="stable")
        sites = events.site[acts[order]]
        for site in np.intersect1d(sites, list(self.tests)).tolist():
            begin, end = np.searchsorted(sites, (site, site + 1))
            read = [self._locations[check] for check in self.tests[site] if check in self._locations]
            if read:
                its = order[begin:end]
                found[its] = np.isin(events.location[acts[its]], np.concatenate(read))
        return found

    def of(self, act: int, check: int) -> CalledCheck | None:
        """Whether a read decided upon an access of its thread, by way of calls. Both are places among the events.

        Not if a `while` loop stands between the two: the thread may have waited there, and know of the change."""
        events, activations = self._events, self.activations
        if int(events.site[check]) not in self.tests.get(int(events.site[act]), ()):
            return None
        chosen = self._chosen.tests.get(int(events.site[act]), {}).get(int(events.site[check]))
        if chosen is not None and self._chosen.is_of_one(act, check):
            return CalledCheck(chosen, ())
        at, until = activations.of(act).begun, int(events.seq[act])
        site = int(events.site[act])
        code, offset, line = self._trace.site_codes[site], self._trace.sites[site].offset, self._trace.sites[site].line
        calls: list[tuple[int, int]] = []
        for level in range(DEEPEST):
            if line is None:
                return None
            for asked in self._asked(code, offset):
                if self._loops.any_between(code.file, self._lines.get((code.id, asked.offset), 0), line):
                    continue
                refuses = asked.answer == RETURNS
                if level and not refuses and self._is_it(check, code, at, asked.offset, until):
                    return CalledCheck(asked.answer, ((code.id, asked.offset),), tuple(calls))
                found = self._found(at, asked, until, check, 0)
                if found is not None:
                    way = (*found.way, (code.id, asked.offset))
                    return found._replace(way=way, calls=tuple(calls), refuses=refuses)
            call = activations.calls.get(at)
            caller = None if call is None or call.caller_seq is None else activations.calls.get(call.caller_seq)
            if call is None or caller is None or call.place is None:
                return None
            if not self._leads_up(code, self._trace.site_codes[caller.site].id, call.place):
                return None
            if caller.thread != call.thread or self._loops.any_between(code.file, 0, line):
                return None
            at, until, offset, code = caller.seq, call.seq, call.place, self._trace.site_codes[caller.site]
            line = self._lines.get((code.id, offset))
            calls += [(code.file, line)] if line is not None else []
        return None

    def _found(self, at: int, asked: Asked, until: int, check: int, depth: int) -> CalledCheck | None:
        """If the check gave what the activation that began `at` asked for last, before `until`."""
        calls = self.activations.called_from(at, asked.offset) if at >= 0 and depth < DEEPEST else []
        number = bisect_left(calls, until)
        if not number:
            return None
        call = self.activations.calls[calls[number - 1]]
        called = self._trace.site_codes[call.site]
        for each in self._answers(called, asked, self._trace.site_codes[self.activations.calls[at].site].id):
            way: tuple[tuple[int, int], ...] = ((called.id, each.offset),)
            if self._is_it(check, called, call.seq, each.offset, until):
                return CalledCheck(each.answer, way)
            found = self._found(call.seq, each, until, check, depth + 1)
            if found is not None:
                return found._replace(way=(*found.way, *way))
        return None

    def _answers(self, code: Code, asked: Asked, caller: int) -> Iterator[Asked]:
        """What a function's result says if it was what was asked for; nothing if the function has another name."""
        serves = code.function.rpartition(".")[2] in _SERVES and (caller, asked.offset) in self._loads
        if not serves and not _is_named(code.function, asked.callee):
            did = self._mixed_in.asked(code, asked.callee, asked.answer)
            failing = (each.asked for each in code.answers if did is not None and each.result == "raises")
            yield from (each._replace(answer=did or "") for each in failing)
            return
        wanted = _RESULTS.get(asked.answer, asked.answer)
        for answer in code.answers:
            is_plain = not answer.result and wanted not in ("raises", MORE, RETURNS)
            if answer.result == wanted:
                yield answer.asked
            elif is_plain or (answer.result == "raises" and asks_more(wanted)):
                yield answer.asked._replace(answer=wanted)

    def _is_it(self, check: int, code: Code, begun: int, offset: int, until: int) -> bool:
        """Whether a read was the last one of an instruction, in the activation that began then, and before `until`."""
        events = self._events
        site = int(events.site[check])
        if self._trace.site_codes[site].id != code.id or self._trace.sites[site].offset != offset:
            return False
        if begun < 0 or self.activations.of(check).begun != begun or int(events.seq[check]) >= until:
            return False
        later = slice(check + 1, int(np.searchsorted(events.seq, until)))
        again = (events.site[later] == site) & (events.frame[later] == events.frame[check])
        return not any(self.activations.of(check + 1 + int(each)).begun == begun for each in np.flatnonzero(again))

    def are_at_one_place(self, one: int, other: int) -> bool:
        """Whether two reads are made by the same expression. The test of a loop is there twice."""
        sites = [int(self._events.site[place]) for place in (one, other)]
        codes, spans = zip(
            *((self._trace.site_codes[site].id, self._trace.sites[site].span) for site in sites), strict=True
        )
        return sites[0] == sites[1] or (codes[0] == codes[1] and spans[0] == spans[1] and None not in spans[0])

    def comes_the_same_way(self, check: int, way: tuple[tuple[int, int], ...]) -> bool:
        """Whether another thread's read was made by the same calls."""
        begun = self.activations.of(check).begun
        site = int(self._events.site[check])
        own = (self._trace.site_codes[site].id, self._trace.sites[site].offset)
        for expected in way:
            if own != expected:
                return False
            call = self.activations.calls.get(begun)
            caller = None if call is None or call.caller_seq is None else self.activations.calls.get(call.caller_seq)
            if call is None or caller is None or call.place is None:
                return expected == way[-1]
            own, begun = (self._trace.site_codes[caller.site].id, call.place), caller.seq
        return True


def _is_named(function: str, callee: str) -> bool:
    name = function.rpartition(".")[2]
    return name == callee or (callee == "__bool__" and name in _TRUTHS)


def _add(tests: dict[int, str], found: Iterator[tuple[int, str]]) -> None:
    for site, answer in found:
        if tests.setdefault(site, answer) != answer:
            tests[site] = ""
