"""Weaves a module: every code object in it gets its hooks, is checked, and is described to the collector."""

from __future__ import annotations

import itertools
import operator
import struct
from collections.abc import Mapping
from types import CodeType, MappingProxyType
from typing import NamedTuple

from opcodetrace.rewrite import hooks
from opcodetrace.rewrite.decode import Decoded, Instruction, decode
from opcodetrace.rewrite.flow import DataFlow, FlowError, Question, StaticSources, analyse, depths
from opcodetrace.rewrite.interpreters import (
    CO_ASYNC_GENERATOR,
    CO_COROUTINE,
    CO_GENERATOR,
    CO_VARARGS,
    CO_VARKEYWORDS,
    HERE,
    Suspends,
    is_update,
    operation_of,
)
from opcodetrace.rewrite.scope import Scope, scope_of
from opcodetrace.rewrite.splice import HOOK_STACK, MARK_STACK, TRAP_STACK, Trap, splice
from opcodetrace.rewrite.unweave import check
from opcodetrace.spool.messages import Send
from opcodetrace.trace.hook import Probe
from opcodetrace.trace.site import (
    Answer,
    ArgumentFlows,
    Asked,
    Code,
    Decision,
    Flow,
    Followed,
    Operation,
    Signature,
    Site,
    SourceFile,
    SwitchPoint,
    Test,
)
from opcodetrace.trace.sync import Act

DESCRIBED_ONLY = 0xFFFFFFFF  # the code id of library code that is not woven (spool.layout.NO_SITE)
_CALL_ENTRY = struct.Struct("<IHHI")  # code unit, stack depth before it, argument, site: as `_probe.Code` takes them
_AWAIT = "SEND"  # while what a coroutine awaits goes on, it stands there
_NO_CALLEE = 65535  # in the place of a depth: the value stack does not show what is called

RESUMES = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR  # flags of code that goes on while its caller does


class Weaver:
    """Weaves modules, and gives `send` a SourceFile or Code for each file and code object before its code can run."""

    def __init__(
        self,
        send: Send,
        probe: Probe,
        *,
        calls: bool = False,
        operations: Mapping[str, Act] = MappingProxyType({}),
        only: tuple[str, ...] = (),
    ) -> None:
        """`calls`: every function records its caller. `operations`: functions by which threads wait for each
        other, by qualified name, as `describe` is given them. `only`: classes and functions, by qualified name; if any
        are given, what is not in these runs as it is."""
        self._calls = calls
        self._only = only
        self._operations = operations
        self._send = send
        self._probe = probe
        # next() on a count is one step even without the GIL: modules are imported by several threads.
        self._files = itertools.count()
        self._codes = itertools.count()
        self._phis = itertools.count()
        self._sites = itertools.count()

    def weave_module(self, code: CodeType, path: str, module: str, source: bytes) -> CodeType:
        """The module's code with all functions in it woven.

        Never raises for a code object that cannot be woven: that one runs as it is, and the collector is told why."""
        return self.weave(code, self.add_file(path, module, source), scope_of(code))

    def add_file(self, path: str, module: str, source: bytes) -> int:
        """Names a file whose code is woven; gives its number."""
        file = next(self._files)
        self._send(SourceFile(file, path, module, source))
        return file

    def taken(self) -> tuple[int, int, int]:
        """How many numbers of code objects, sites and phis were taken; to be asked for at the end."""
        return next(self._codes), next(self._sites), next(self._phis)

    def describe(self, code: CodeType, operations: Mapping[str, Act]) -> CodeType:
        """Library code as it is, except for a last constant by which the probe finds what its calls wait for; functions
        in `operations`, by qualified name, say when they begin and end to synchronise."""
        described = tuple(
            self.describe(constant, operations) if isinstance(constant, CodeType) else constant
            for constant in code.co_consts
        )
        try:
            decoded = decode(code)
            depth = depths(code, decoded)
            operation = operations.get(code.co_qualname)
            before, after = ({}, {}) if operation is None else hooks.synchronisation(code, decoded, operation)
            actions = sorted({(each.action, each.name) for each in (*before.values(), *after.values())})
            made = [self._probe.Hook(DESCRIBED_ONLY, *each) for each in actions]
            constant = {action: number for number, (action, _) in enumerate(actions, len(described))}
            spliced = splice(
                code,
                decoded,
                {index: template.encode(constant[template.action]) for index, template in before.items()},
                {index: template.encode(constant[template.action]) for index, template in after.items()},
            )
            described = (*described, *made, self._probe.Code(DESCRIBED_ONLY, _call_table(decoded, depth, spliced.at)))
            if not made:
                return self._with_constants(code, described)
            result = code.replace(
                co_code=spliced.bytecode,
                co_consts=described,
                co_exceptiontable=spliced.exception_table,
                co_linetable=spliced.line_table,
                co_stacksize=code.co_stacksize + HOOK_STACK,
            )
            self._probe.fix_kinds(code, result)
            check(code, result, self._probe, decoded)
        except (FlowError, ValueError):
            return self._with_constants(code, described)
        return result

    def weave(self, code: CodeType, file: int, scope: Scope) -> CodeType:
        """The code woven, and all code nested in it. As it is if it cannot be woven."""
        nested = tuple(
            self.weave(constant, file, scope) if isinstance(constant, CodeType) else constant
            for constant in code.co_consts
        )
        if not self._is_meant(code):
            return self._with_constants(code, nested)
        code_id = next(self._codes)
        try:
            woven = _WovenCode(code, scope, code_id, self._sites, self._phis, self._probe, self._calls)
            woven.synchronisation = self._operations.get(code.co_qualname)
            result = woven.assemble(nested)
            check(code, result, self._probe, woven.decoded)
        except Exception as error:
            # Whatever it is, the program comes first: this code runs as it is, and the run lists it.
            why = f"{type(error).__name__}, {error}" if str(error) else type(error).__name__
            reason = f"its bytecode could not be rewritten: {why}"
            self._send(Code(code_id, file, code.co_qualname, code.co_firstlineno, (), (), reason))
            return self._with_constants(code, nested)
        sites, points = tuple(woven.sites), tuple(woven.switch_points)
        flow = str(woven.followed())
        handed = woven.hand_over()
        self._send(Code(code_id, file, code.co_qualname, code.co_firstlineno, sites, points, None, flow, *handed))
        return result

    def _is_meant(self, code: CodeType) -> bool:
        return not self._only or any(f"{code.co_qualname}.".startswith(f"{name}.") for name in self._only)

    def _with_constants(self, code: CodeType, constants: tuple[object, ...]) -> CodeType:
        if len(constants) == len(code.co_consts) and all(map(operator.is_, constants, code.co_consts)):
            return code
        result = code.replace(co_consts=constants)
        self._probe.fix_kinds(code, result)
        return result


def _calls(decoded: Decoded, depth: list[int]) -> list[Instruction]:
    """And what is like one: an operator in C code that may access what threads share, an `await`."""
    return [
        i
        for i in decoded.instructions
        if (HERE.opcodes[i.name].shows_callee or i.name == _AWAIT or is_update(i.name, i.arg))
        and 0 <= depth[i.ordinal] < _NO_CALLEE
        and i.arg < 65536
    ]


def _call_table(
    decoded: Decoded, depth: list[int], at: list[int], sites: Mapping[int, int] = MappingProxyType({})
) -> bytes:
    """For `_probe.Code`, of each call: where it lies (`at`, code units), the stack's depth before it, its site."""
    return b"".join(
        _CALL_ENTRY.pack(
            at[i.ordinal], _NO_CALLEE if i.name == _AWAIT else depth[i.ordinal], i.arg, sites.get(i.ordinal, 0)
        )
        for i in _calls(decoded, depth)
    )


def _block(numbers: itertools.count[int], size: int) -> int:
    """The first of `size` numbers in a row, though other threads take some too."""
    first = next(numbers)
    taken = 1
    while taken < size:
        number = next(numbers)
        if number == first + taken:
            taken += 1
        else:
            first, taken = number, 1
    return first


class _Placed(NamedTuple):
    """The hooks around one instruction, as they will be encoded."""

    site: int
    template: hooks.HookTemplate


class _WovenCode:
    """One code object on its way: sites are numbered, hooks chosen, bytes spliced."""

    def __init__(
        self,
        code: CodeType,
        scope: Scope,
        code_id: int,
        site_ids: itertools.count[int],
        phi_ids: itertools.count[int],
        probe: Probe,
        calls: bool,
    ) -> None:
        self.says_callers = calls
        self.synchronisation: Act | None = None  # what its calls are, if threads wait by them
        self.probe = probe
        self.code = code
        self.code_id = code_id
        self.site_ids = site_ids
        self.phi_ids = phi_ids
        self.decoded: Decoded = decode(code)
        self.planner = hooks.Planner(code, self.decoded, scope)
        self.flow: DataFlow | None
        try:
            self.flow = analyse(code, self.decoded, self.planner.hooked)
        except FlowError:
            self.flow = None  # then every source is inferred
        self.sites: list[Site] = []
        self.switch_points: list[SwitchPoint] = []
        self.begin = next((i.ordinal for i in self.decoded.instructions if i.name == "RESUME" and i.arg & 3 == 0), None)
        self.enter: _Placed | None = None

    def followed(self) -> Followed:
        if self.flow is None:
            return Followed.NONE
        return Followed.BUDGET if self.flow.exceeded else Followed.FULL

    def assemble(self, constants: tuple[object, ...]) -> CodeType:
        before: dict[int, list[_Placed]] = {}
        after: dict[int, list[_Placed]] = {}
        failed: dict[int, list[_Placed]] = {}
        self._number_calls()
        self._place_accesses(before, after, failed)
        self._place_calls(before)
        self._place_markers(before, after)
        self._place_synchronisation(before, after)
        first = len(constants)
        made: list[object] = []

        def encoded(placed: dict[int, list[_Placed]]) -> dict[int, bytes]:
            out = {}
            for index, row in placed.items():
                parts = []
                for site, template in row:
                    parts.append(template.encode(first + len(made)))
                    made.append(self.probe.Hook(site, template.action, template.name))
                out[index] = b"".join(parts)
            return out

        traps = {index: Trap(self._depth_below(index), bytes) for index, bytes in encoded(failed).items()}
        spliced = splice(self.code, self.decoded, encoded(before), encoded(after), self.begin, traps)
        if self.enter is not None:  # the probe finds it in the last place but one
            made.append(self.probe.Hook(self.enter.site, self.enter.template.action, self.enter.template.name))
        if self.call_sites and self.flow is not None:
            table = _call_table(self.decoded, self.flow.depth, spliced.at, self.call_sites)
            anchor = self.probe.Code(self.code_id, table, self.first_call)
        else:
            anchor = self.probe.Code(self.code_id, b"")
        woven = self.code.replace(
            co_code=spliced.bytecode,
            co_consts=(*constants, *made, anchor),
            co_exceptiontable=spliced.exception_table,
            co_linetable=spliced.line_table,
            co_stacksize=max(
                self.code.co_stacksize + HOOK_STACK, *(trap.depth + TRAP_STACK for trap in traps.values()), 0
            )
            + MARK_STACK,
        )
        self.probe.fix_kinds(self.code, woven)
        for instruction in self.decoded.instructions:
            if HERE.opcodes[instruction.name].suspends:
                self.switch_points += self._points(instruction, spliced.at[instruction.ordinal])
        return woven

    def _depth_below(self, index: int) -> int:
        """Of the stack without what the instruction takes."""
        if self.flow is None:
            raise FlowError(f"{self.code.co_qualname}: the depth of the stack is unknown")
        instruction = self.decoded.instructions[index]
        takes = HERE.opcodes[instruction.name].takes
        return self.flow.depth[index] - (takes if isinstance(takes, int) else takes(instruction.arg))

    def _place_synchronisation(self, before: dict[int, list[_Placed]], after: dict[int, list[_Placed]]) -> None:
        if self.synchronisation is None:
            return
        templates_of = hooks.synchronisation(self.code, self.decoded, self.synchronisation)
        for placed, templates in zip((before, after), templates_of, strict=True):
            for index, template in templates.items():
                placed.setdefault(index, []).append(_Placed(DESCRIBED_ONLY, template))

    @staticmethod
    def _points(instruction: Instruction, at: int) -> list[SwitchPoint]:
        # While 3.11 and 3.12 run a Python function that the instruction called, they point at its last cache entry.
        places = {at, at + instruction.stop - instruction.at - 1} if HERE.stands_behind_caches else {at}
        return [
            SwitchPoint(
                2 * place,
                2 * instruction.at,
                instruction.name,
                *instruction.position,
                HERE.opcodes[instruction.name].suspends is Suspends.BY_CHECK,
            )
            for place in sorted(places)
        ]

    def _describe(
        self,
        site: int,
        instruction: Instruction,
        operation: str,
        name: str | None = None,
        flow: Flow | None = None,
        phi: int | None = None,
        computed: str | None = None,
    ) -> int:
        """Keeps the site's description; gives its number back."""
        line, end_line, column, end_column = instruction.position
        self.sites.append(
            Site(
                site,
                operation,
                instruction.name,
                2 * instruction.at,
                line,
                end_line,
                column,
                end_column,
                name,
                flow,
                phi,
                computed,
                self._tests(instruction.ordinal),
            )
        )
        return site

    def _number_calls(self) -> None:
        """Every call is a site, all of them in a row: C code that it runs may access what threads share."""
        self.calls = [] if self.flow is None else _calls(self.decoded, self.flow.depth)
        self.call_sites: dict[int, int] = {}  # counted from the first
        count = 0
        for call in self.calls:  # 3.11: PRECALL and CALL are one
            behind_precall = call.name == "CALL" and call.ordinal - 1 in self.call_sites and HERE.has_precall
            self.call_sites[call.ordinal] = count - 1 if behind_precall else count
            count += not behind_precall
        self.first_call = _block(self.site_ids, count) if count else 0

    def _place_calls(self, before: dict[int, list[_Placed]]) -> None:
        flow = self.flow
        if flow is None:
            return
        of_wholes = flow.lens | flow.copies
        for index in sorted(of_wholes | flow.appends.keys()):
            if index not in self.call_sites:
                continue
            site = self.first_call + self.call_sites[index]
            at = index - 1 if index - 1 in self.call_sites and HERE.has_precall else index
            if index in of_wholes:
                before.setdefault(at, []).append(_Placed(site, hooks.WHOLE_CALL))
            else:
                before.setdefault(flow.appends[index], []).append(_Placed(site, hooks.APPEND_BEGIN))
                before.setdefault(at, []).append(_Placed(site, hooks.APPEND))
        described: set[int] = set()
        for call in reversed(self.calls):
            site = self.first_call + self.call_sites[call.ordinal]
            if site in described:
                continue
            described.add(site)
            sources = flow.writes.get(call.ordinal)
            # A call that changes what it reads (list.append, dict.pop) does it in one step, by a read at its own site.
            # One that only writes has none there: `analyse/sources.py` takes no earlier write of the site for it.
            if sources is None and call.ordinal in flow.given:
                sources = flow.given[call.ordinal].passed()  # whatever C code makes of it
            value_flow = Flow() if sources is None else self._flow(sources)
            if site not in value_flow.reads:
                value_flow = value_flow._replace(reads=tuple(sorted((*value_flow.reads, site))))
            self._describe(site, call, str(Operation.CALL), flow=value_flow)

    def _place_accesses(
        self,
        before: dict[int, list[_Placed]],
        after: dict[int, list[_Placed]],
        failed: dict[int, list[_Placed]],
    ) -> None:
        flow = self.flow
        reached = [i for i in self.decoded.instructions if flow is None or flow.depth[i.ordinal] >= 0]
        plans = [(i, self.planner.plan(i, flow)) for i in reached]
        # Sites are numbered first: the flow of a write names the sites of reads.
        numbers = {}
        for instruction, plan in plans:
            if plan is None:
                continue
            if flow is not None and flow.iterations.get(instruction.ordinal):
                numbers[instruction.ordinal] = _block(self.site_ids, 2)  # the second of each pair is a read by itself
                numbers[instruction.ordinal + 1] = numbers[instruction.ordinal] + 1
            else:
                numbers[instruction.ordinal] = next(self.site_ids)
        numbers |= {ordinal: self.first_call + place for ordinal, place in self.call_sites.items()}
        self.phis = (
            {}
            if flow is None
            else {definition.phi: next(self.phi_ids) for definition in sorted(flow.definitions, key=lambda d: d.phi)}
        )
        self.numbers = numbers
        for instruction, plan in plans:
            if plan is None:
                continue
            index = instruction.ordinal
            value_flow = None
            computed = None
            if plan.operation.startswith("STORE"):
                sources = None if flow is None else flow.writes.get(index)
                value_flow = Flow(opaque=True) if sources is None else self._flow(sources)
                if flow is not None and index in flow.computed:
                    made_by = self.decoded.instructions[flow.computed[index]]
                    computed = operation_of(made_by.name, made_by.arg)
            operation = str(plan.operation)
            self._describe(numbers[index], instruction, operation, plan.name, flow=value_flow, computed=computed)
            if flow is not None and flow.iterations.get(index):
                self._describe(numbers[index + 1], instruction, operation)
            if plan.before:
                before[index] = [_Placed(numbers[index], template) for template in plan.before]
            if plan.after:
                after[index] = [_Placed(numbers[index], template) for template in plan.after]
            if plan.failed is not None and flow is not None:
                failed[index] = [_Placed(numbers[index], plan.failed)]

    def _tests(self, index: int) -> tuple[Test, ...]:
        """Of the access that an instruction makes."""
        tests = {} if self.flow is None else self.flow.tests.get(index, {})
        return tuple(sorted(Test(self.numbers[read], answer) for read, answer in tests.items() if read in self.numbers))

    def _numbered(self, indexes: frozenset[int]) -> tuple[int, ...]:
        """The sites of instructions."""
        return tuple(sorted({self.numbers[i] for i in indexes if i in self.numbers}))

    def _flow(self, sources: StaticSources) -> Flow:
        numbered = self._numbered

        def variables(phis: frozenset[int]) -> tuple[int, ...]:
            return tuple(sorted(self.phis[phi] for phi in phis))

        return Flow(
            numbered(sources.reads),
            numbered(sources.writes),
            variables(sources.phis),
            numbered(sources.called_reads),
            numbered(sources.called_writes),
            variables(sources.called_phis),
            sources.opaque,
            numbered(sources.tested),
            numbered(sources.failed),
            tuple(sorted(2 * self.decoded.instructions[index].at for index in sources.results)),
            tuple(sorted(sources.parameters)),
        )

    def hand_over(
        self,
    ) -> tuple[Signature, Flow, tuple[ArgumentFlows, ...], tuple[Decision, ...], tuple[Answer, ...]]:
        """How arguments become parameters, what flows into the result, what is given to calls, and what decides upon
        them."""
        code = self.code
        positional = code.co_argcount
        more, keywords = bool(code.co_flags & CO_VARARGS), bool(code.co_flags & CO_VARKEYWORDS)
        names = code.co_varnames[: positional + code.co_kwonlyargcount + more + keywords]
        signature = Signature(names, positional, more, bool(code.co_flags & RESUMES))
        if self.flow is None:
            return signature, Flow(), (), (), ()
        given = tuple(
            ArgumentFlows(
                2 * self.decoded.instructions[index].at,
                each.callee,
                tuple(map(self._flow, each.positional)),
                tuple((name, self._flow(sources)) for name, sources in each.keywords),
                self._flow(each.receiver),
                self._flow(each.others),
            )
            for index, each in sorted(self.flow.given.items())
        )

        def asked(question: Question) -> Asked:
            return Asked(2 * self.decoded.instructions[question.at].at, question.answer, question.callee)

        decisions = tuple(
            Decision(tuple(map(asked, questions)), tuple([2 * self.decoded.instructions[place].at for place in places]))
            for questions, places in self.flow.decisions.items()
        )
        answers = tuple(Answer(each.result, asked(each.question)) for each in self.flow.results)
        return signature, self._flow(self.flow.returned), given, decisions, answers

    def _place_markers(self, before: dict[int, list[_Placed]], after: dict[int, list[_Placed]]) -> None:
        """ENTER, of all that accesses anything or calls what may; COMPUTE and DEFINE."""
        flow = self.flow
        instructions = self.decoded.instructions
        begin = None if self.begin is None else instructions[self.begin]
        if begin is not None and (self.says_callers or before or after or self.call_sites):
            site = self._describe(next(self.site_ids), begin, str(Operation.ENTER))
            self.enter = _Placed(site, hooks.CALLED if self.says_callers else hooks.ENTER)
            after.setdefault(begin.ordinal, []).append(self.enter)
        if flow is None:
            return
        for index in sorted(flow.arithmetic):
            # Never between BINARY_OP and STORE_FAST: that pair is how `s += x` grows a string in place.
            if index + 1 < len(instructions) and instructions[index + 1].name.startswith("STORE_FAST"):
                continue
            operation = operation_of(instructions[index].name, instructions[index].arg)
            site = self._describe(next(self.site_ids), instructions[index], operation)
            after.setdefault(index, []).append(_Placed(site, hooks.COMPUTE))
        if begin is None:
            return
        for definition in sorted(flow.definitions, key=lambda d: (d.after, d.phi)):
            instruction = instructions[definition.after] if definition.after >= 0 else begin
            site = self._describe(
                next(self.site_ids),
                instruction,
                str(Operation.DEFINE),
                flow=self._flow(definition.sources),
                phi=self.phis[definition.phi],
            )
            after.setdefault(instruction.ordinal, []).append(_Placed(site, hooks.DEFINE))
