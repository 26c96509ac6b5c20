"""What decides upon an instruction by way of calls: `if not self.has(key): self.add(key)`.

Two things are told of one function. By which answers it is decided that an access or a call is made (`Decisions.of`):
of reads, and of what was called. And what its result says of its own reads, and of what it called in turn
(`Decisions.results`). `analyse.decisions` joins them along the calls that a run made. That is control dependence across
functions: Horwitz, Reps and Binkley, "Interprocedural slicing using dependence graphs" (1990).
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from opcodetrace.rewrite.flow.conditions import Conditions, Question
from opcodetrace.rewrite.flow.control import UNREACHED, Dominators, TooMuch
from opcodetrace.rewrite.flow.interpretation import AbstractInterpreter
from opcodetrace.rewrite.flow.nodes import Nodes
from opcodetrace.rewrite.interpreters import (
    CO_ASYNC_GENERATOR,
    CO_GENERATOR,
    HERE,
    TRUTH_TESTS,
    Makes,
    is_subscript,
)
from opcodetrace.trace.site import MORE, OF_IT, RETURNS

_MOST_ASKED = 8  # of what decides upon one instruction, and of what may have raised; the nearest before it
_DEEPEST = 20  # `not` in a row
_MOST_PARTS = 6  # of an `and` that is returned
_ENTERS = ("BEFORE_WITH", "BEFORE_ASYNC_WITH", "LOAD_SPECIAL")
_TRUE_OR_FALSE = ("CONTAINS_OP", "IS_OP", "UNARY_NOT")  # give nothing else
_MOST_VARIABLES = 4  # that are made of each other
_TRUTHS = ("true", "false")
_NOTHING = ("is None", "absent")
_FOUND = ("present", "absent", "is None", "is not None", *_TRUTHS)  # what the trace shows of a read by itself
# What a lookup found, and what it found if not that; what a function told, and so on.
_APART = {"present": "absent", "absent": "present", "true": "false", "false": "true"}
_OPPOSITES = (("true", "false"), ("false", "true"), ("is None", "is not None"))


class Result(NamedTuple):
    """What a function's result says (see `trace.site.Answer`)."""

    result: str
    question: Question


class Decisions:
    """Those of one code object."""

    def __init__(self, run: AbstractInterpreter, conditions: Conditions, awaited: Mapping[int, int]) -> None:
        self._run = run
        self._awaited = awaited  # calls, by where a coroutine runs what they made
        self._conditions = conditions
        self._known: dict[int, frozenset[Question]] = {}
        self._more: dict[int, frozenset[Question]] = {}
        self._tried: dict[int, list[int]] = {}  # a handler: what may fail and lead there
        for index, handler in enumerate(run.escapes):
            if handler != UNREACHED and self._may_fail(index):
                self._tried.setdefault(handler, []).append(index)

    @cached_property
    def _dominators(self) -> Dominators:
        return Dominators(self._successors, 0)

    @cached_property
    def _successors(self) -> list[list[int]]:
        """Where control may go from each instruction; not on after a `with` that an exception left, if what is entered
        is no call: a lock swallows none, `suppress(KeyError)` does."""
        run = self._run
        found = list(run.successors)
        for index, each in enumerate(run.instructions):
            if each.name != "WITH_EXCEPT_START" or self._may_swallow(index):
                continue
            branch = next((after for after in sorted(run.conditions) if after > index), UNREACHED)
            for way in run.ways[branch] if branch != UNREACHED else ():
                if self._conditions.way(branch, way) == (False, True):
                    found[branch] = [each for each in found[branch] if each != way]
        return found

    def _may_swallow(self, exit_by: int) -> bool:
        """Whether a `with` may be left by an exception that goes no further."""
        run = self._run
        entered = {node // 2 for nodes in run.inputs.get(2 * exit_by, ()) for node in nodes if node >= 0}
        entered = {index for index in entered if run.instructions[index].name in _ENTERS}
        managers = [self._conditions.value(nodes) for index in entered for nodes in run.inputs[2 * index]]
        return not managers or any(
            node >= 0 and run.instructions[node // 2].name in ("CALL", "CALL_KW", "CALL_FUNCTION_EX")
            for root in managers
            for node in root
        )

    @cached_property
    def _before(self) -> list[list[int]]:
        """Of each instruction those from which control may come to it."""
        found: list[list[int]] = [[] for _ in self._run.instructions]
        for index, successors in enumerate(self._successors):
            for successor in set(successors) if self._dominators.reached(index) else ():
                found[successor].append(index)
        return found

    def of(self, places: Iterable[int]) -> dict[tuple[Question, ...], list[int]]:
        """By what was answered: the places that this decided upon. Of accesses that are no calls without what their own
        function read for them, which is told elsewhere (`Conditions.tests`)."""
        found: dict[tuple[Question, ...], list[int]] = {}
        if not self._run.conditions and not self._tried:
            return found
        for index in sorted(places):
            asked = self.deciding(index) | self._asking_more(index)
            if index not in self._run.given and index not in self._awaited:
                asked = frozenset(each for each in asked if each.callee)
            if asked:
                nearest = sorted(asked, key=lambda each: (each.at < index, each.at))[-_MOST_ASKED:]
                found.setdefault(tuple(sorted(nearest)), []).append(index)
        return found

    def results(self) -> list[Result]:
        """What the result says. Only what follows from it for certain: of two places that return the same, one says
        nothing; nor what is read in a loop, as it is not known which turn it was: unless that led to the return, as the
        last turn did."""
        run = self._run
        if run.code.co_flags & (CO_GENERATOR | CO_ASYNC_GENERATOR):
            return []
        found = {
            Result("raises", Question(index, "raises", callee))
            for index in self._failing()
            if (callee := self._callee(index)) is not None
        }
        found |= {Result("raises", each) for each in self._always(self._raising()) if each.answer in _FOUND}
        returns = self._returning()
        for index in returns:
            value = self._plain(run.returns[index]) if index in run.returns else None
            if value is not None and len(returns) == 1:
                found.add(Result("", value))
                continue
            for result in ("true", "false", "is None", "is not None"):
                if self._may_give(index, result):
                    rivals = [other for other in returns if other != index and self._may_give(other, result)]
                    found |= {Result(result, each) for each in self._said_by(index, result, rivals)}
        found |= {Result(RETURNS, each) for each in self._if_not_refused(returns)}
        known = {(each.result, each.question.at) for each in found}
        found |= {each for each in self._if_not_there(returns) if (each.result, each.question.at) not in known}
        known = {(each.result, each.question.at) for each in found}
        found |= {each for each in self._of_predicate(returns) if (each.result, each.question.at) not in known}
        of_last_turn = {question for index in returns for question in self.deciding(index)}
        return sorted(each for each in found if each.question in of_last_turn or not self._is_in_loop(each.question.at))

    # --- places

    def deciding(self, index: int) -> frozenset[Question]:
        """What was asked, and answered so, whenever control comes to an instruction: on every way to it."""
        chain = []
        while index not in self._known:
            chain.append(index)
            above = self._dominators.immediate[index]
            if above in (index, UNREACHED):
                break
            index = above
        asked = self._known.get(index, frozenset())
        for each in reversed(chain):
            self._known[each] = asked  # meanwhile: a variable's value may be asked for that is made further down
            asked = self._known[each] = asked | self._on_entry(each)
        return asked

    def _asking_more(self, index: int) -> frozenset[Question]:
        """What was asked on every way to an instruction, and found nothing on some of them: `if self.token is None or
        expired(): self.refresh()`. What it found on the others is not told (`MORE`)."""
        chain = []
        while index not in self._more:
            chain.append(index)
            above = self._dominators.immediate[index]
            if above in (index, UNREACHED):
                break
            index = above
        found = self._more.get(index, frozenset())
        for each in reversed(chain):
            found = self._more[each] = found | frozenset(self._partly_nothing(each))
        return found

    def _partly_nothing(self, index: int) -> Iterator[Question]:
        before = [each for each in self._before[index] if not self._dominators.dominates(index, each)]
        if len(before) < 2 or index in self._tried:
            return
        ways = [way for each in before if (way := self._way(each, index))[0] in self._run.conditions]
        decided_by = self._conditions.dependence.decided_by(index) if ways else ()
        deciding = {branch for branch, _ in decided_by if branch in self._run.conditions}
        asked = [list(self._asked(*way)) for way in ways]
        for number, (branch, _) in enumerate(ways):
            others = {one.at for other in asked[:number] + asked[number + 1 :] for one in other}
            for one in asked[number] if branch in deciding else ():
                is_nothing = one.answer in _NOTHING or (one.answer == "false" and one.callee)
                if is_nothing and one.at not in others and not self._is_in_loop(one.at):
                    is_of_it = any(
                        self._is_asked_of(one.at, self._run.conditions[each]) for each in deciding - {branch}
                    )
                    yield Question(one.at, OF_IT if is_of_it else MORE, one.callee)

    def _is_asked_of(self, index: int, nodes: Iterable[int]) -> bool:
        """Whether what was read or called there, or is read again, is among what something is made of."""
        behind = {node // 2 for node in self._conditions.made_of(frozenset(nodes)) if node >= 0}
        return index in behind or any(self._conditions.are_alike(index, each) for each in behind)

    def _on_entry(self, index: int) -> frozenset[Question]:
        """What was asked last on all ways to an instruction. The test of a loop may stand before and behind its body:
        those two count as one."""
        before = self._before[index]
        if len(before) == 1 and before[0] not in self._run.conditions and index not in self._tried:
            return frozenset()
        if index in self._tried:
            tried = self._tried[index][-_MOST_ASKED:]
            return frozenset(
                Question(each, "raises", callee) for each in tried if (callee := self._callee(each)) is not None
            )
        outer = [each for each in before if not self._dominators.dominates(index, each)]
        ways = [self._way(each, index) for each in outer]
        if any(branch not in self._run.conditions for branch, _ in ways):
            return frozenset()
        asked = [list(self._asked(*way)) for way in ways]
        alike = (
            frozenset.intersection(*(frozenset(map(self._meaning, each)) for each in asked)) if asked else frozenset()
        )
        if alike:
            asked += [list(self._asked(each, index)) for each in before if each not in outer]
        said = frozenset(one for each in asked for one in each if self._meaning(one) in alike)
        return said | self._if_asked(index, ways) if len(before) == len(outer) > 1 else said

    def _way(self, before: int, index: int) -> tuple[int, int]:
        """The branch and its successor by which control comes from one instruction to the next: 3.14 has a mark in
        between."""
        while self._run.instructions[before].name == "NOT_TAKEN" and len(self._before[before]) == 1:
            before, index = self._before[before][0], before
        return before, index

    def _if_asked(self, index: int, ways: list[tuple[int, int]]) -> frozenset[Question]:
        """What was answered on the way to an instruction if it was asked at all: the last one of several tests that
        lead there (`if self.shared and key in self.made: return`). Not in a loop: it may have been asked in an earlier
        turn."""
        conditions = self._conditions
        try:
            last = [
                (branch, way)
                for branch, way in ways
                if not any(
                    successor != way and conditions.may_lead(successor, index, branch)
                    for successor in self._run.ways[branch]
                )
            ]
            if not last or conditions.is_in_loop(index):
                return frozenset()
            return frozenset(
                one
                for branch, way in last
                for one in self._asked(branch, way)
                if one.at == branch or not conditions.may_lead(one.at, index, branch)
            )
        except TooMuch:
            return frozenset()

    def _meaning(self, question: Question) -> tuple[object, ...]:
        """What it is in the source."""
        return (*self._run.instructions[question.at].position, question.answer, question.callee)

    def _asked(self, branch: int, successor: int) -> Iterator[Question]:
        """What was answered if control goes this way."""
        way = self._conditions.way(branch, successor) if branch in self._run.conditions else None
        if way is not None:
            yield from self._of_value(self._run.conditions[branch], *way)
            yield from self._if_called(branch, *way)
            if self._run.instructions[branch].name in TRUTH_TESTS and not way[0]:
                yield Question(branch, "true" if way[1] else "false", "__bool__")

    def _if_called(self, branch: int, is_for_none: bool, is_so: bool) -> Iterator[Question]:
        """What calls answered, if they were made, that may have given the variable that is tested: `found = None`, then
        `if self.cache: found = self.cache.get(key)`, then `if found is None`."""
        for index, answer in self._conditions.asked_of_one(branch, is_for_none, is_so).items():
            callee = self._callee(index)
            if answer and callee and (index in self._run.given or index in self._awaited):
                yield Question(index, answer, callee)

    def _of_value(self, nodes: Nodes, is_for_none: bool, is_so: bool, depth: int = 0) -> Iterator[Question]:
        """What is said if it `is_so` that a value is true, or None."""
        root = self._conditions.value(nodes)
        if len(root) > 1:
            yield from self._of_one_of(root, is_for_none, is_so, depth)
            return
        index, answer = self._conditions.asked(nodes, is_for_none, is_so)
        callee = self._callee(index) if answer else None
        if is_for_none and callee == "__contains__":
            return
        if callee is not None:
            yield Question(index, answer, callee)
        for side, sign, other in () if is_for_none else self._conditions.sides(nodes, is_so):
            answer, callee = self._conditions.compared(sign, other, UNREACHED), self._callee(side)
            if answer and callee is not None and side != index:
                yield Question(side, answer, callee)
        for _ in range(0 if is_for_none else _DEEPEST):
            nodes = self._conditions.value(nodes)
            node = min(nodes, default=UNREACHED)
            name = self._run.instructions[node // 2].name if len(nodes) == 1 and node >= 0 else ""
            if name not in ("TO_BOOL", "UNARY_NOT"):
                break
            is_so = is_so != (name == "UNARY_NOT")
            if name in TRUTH_TESTS:  # it may ask an object for its truth
                yield Question(node // 2, "true" if is_so else "false", "__bool__")
            nodes = self._run.inputs[node][0]
        root = self._conditions.value(nodes)
        if len(root) > 1:
            yield from self._of_one_of(root, is_for_none, is_so, depth)

    def _of_one_of(self, root: Nodes, is_for_none: bool, is_so: bool, depth: int) -> Iterator[Question]:
        """The same of a variable that has one of several values. If only one of them can be so, it has that one; of a
        read, and of what a handler gives if it fails, the read failed. Else nothing is said."""
        root = frozenset(one for node in root for one in self._conditions.value(frozenset((node,))))
        if depth == _MOST_VARIABLES or min(root) < 0:
            return
        constants = {node: self._conditions.constant_value(frozenset((node,))) for node in root}
        may_be = [
            node for node, constant in constants.items() if constant is None or _is(*constant, is_for_none) == is_so
        ]
        if len(may_be) == 1:
            if not self._is_in_loop(may_be[0] // 2):  # it may be of an earlier turn
                yield from self.deciding(may_be[0] // 2)
                yield from self._if_not_given(may_be[0], [node for node in root if node != may_be[0]], depth)
            if constants[may_be[0]] is None:
                yield from self._of_value(frozenset(may_be), is_for_none, is_so, depth + 1)
        elif len(may_be) == len(root) == 2:
            read, other = sorted(may_be, key=lambda node: constants[node] is not None)
            handler, callee = self._run.escapes[read // 2], self._callee(read // 2)
            is_instead = constants[read] is None and constants[other] is not None and handler != UNREACHED
            if is_instead and callee is not None and self._dominators.dominates(handler, other // 2):
                yield Question(read // 2, "raises", callee)
        elif len(may_be) > 1 and not any(self._is_in_loop(node // 2) for node in may_be):
            yield from self._always([node // 2 for node in may_be])

    def _if_not_given(self, first: int, others: list[int], depth: int) -> Iterator[Question]:
        """What was answered if a variable has the constant still that it had first, if that was asked: `found = False`,
        then `if item is not None: found = True`."""
        for other in others:
            edges = self._conditions.dependence.directly(other // 2)
            (branch, successor) = min(edges, default=(UNREACHED, UNREACHED))
            is_later = branch != UNREACHED and self._dominators.dominates(first // 2, branch)
            if len(edges) != 1 or not is_later or branch not in self._run.conditions or self._is_in_loop(branch):
                continue
            for other_way in self._run.ways[branch]:
                way = self._conditions.way(branch, other_way) if other_way != successor else None
                if way is not None:
                    yield from self._of_value(self._run.conditions[branch], *way, depth + 1)

    def _callee(self, index: int) -> str | None:
        """How a function is named that an instruction calls; "" if it reads only, None if it does neither."""
        run = self._run
        if index < 0:
            return None
        index = self._awaited.get(index, index)
        instruction = run.instructions[index]
        if instruction.name in ("CALL", "CALL_KW"):
            names = run.callee_names(run.given[index]) if index in run.given else set()
            name = min(names) if len(names) == 1 else None
            return "__len__" if name == "len" and index in run.lens else name
        if instruction.name == "CONTAINS_OP":
            return "__contains__"
        if is_subscript(instruction.name, instruction.arg):
            return "__getitem__"
        if HERE.opcodes[instruction.name].makes is not Makes.READ:
            return None
        return (
            run.code.co_names[instruction.arg >> HERE.name_shifts[instruction.name]]
            if "ATTR" in instruction.name
            else ""
        )

    def _may_fail(self, index: int) -> bool:
        name = self._run.instructions[index].name
        is_call = name in ("CALL", "CALL_KW") or index in self._awaited
        return is_call or is_subscript(name, self._run.instructions[index].arg)

    def _is_in_loop(self, index: int) -> bool:
        """Not of an await that is in no other loop than its own."""
        return self._conditions.is_in_loop(self._awaited.get(index, index))

    # --- results

    def _returning(self) -> list[int]:
        """Without those that are come to only if a context manager has swallowed an exception."""
        run = self._run
        reached = [i for i, depth in enumerate(run.depth) if depth >= 0 and self._dominators.reached(i)]
        exits = [index for index in reached if run.instructions[index].name == "WITH_EXCEPT_START"]
        return [
            index
            for index in reached
            if run.instructions[index].name in ("RETURN_VALUE", "RETURN_CONST")
            and not any(self._dominators.dominates(each, index) for each in exits)
        ]

    def _failing(self) -> list[int]:
        """What may raise, so that the function does; by what handles it, too: `except KeyError: raise Missing(key)`."""
        return self._uncaught([index for index in range(len(self._run.depth)) if self._may_fail(index)])

    def _raising(self) -> list[int]:
        """What raises, so that the function does: `if key not in self.items: raise KeyError(key)`."""
        instructions = enumerate(self._run.instructions)
        return self._uncaught([index for index, each in instructions if each.name == "RAISE_VARARGS" and each.arg])

    def _uncaught(self, indexes: list[int]) -> list[int]:
        run, returns = self._run, self._returning()
        found = [index for index in indexes if run.depth[index] >= 0]
        handlers = {run.escapes[index] for index in found} - {UNREACHED}
        try:
            raising = {
                handler
                for handler in sorted(handlers)[:_MOST_ASKED]
                if not any(self._conditions.may_lead(handler, each, UNREACHED) for each in returns)
            }
        except TooMuch:
            raising = set()
        return [index for index in found if run.escapes[index] in {UNREACHED, *raising}]

    def _constant(self, index: int) -> tuple[object] | None:
        """What is returned there, if it is a constant."""
        instruction = self._run.instructions[index]
        if instruction.name == "RETURN_CONST":
            return (self._run.code.co_consts[instruction.arg],)
        return self._conditions.constant_value(self._run.returns[index])

    def _may_give(self, index: int, result: str) -> bool:
        constant = self._constant(index)
        if constant is None:
            nodes = self._conditions.value(self._run.returns[index])
            return result != "is None" or not all(
                node >= 0 and self._run.instructions[node // 2].name in _TRUE_OR_FALSE for node in nodes
            )
        return _is(constant[0], result not in _TRUTHS) == (result in ("true", "is None"))

    def _gives_only(self, index: int, result: str) -> bool:
        """Whether this result is returned there, or what the caller has given for it."""
        constant = self._constant(index)
        if constant is None:
            return all(node < 0 and not node & 1 for node in self._conditions.value(self._run.returns[index]))
        return not self._may_give(index, dict(_OPPOSITES)[result])

    def _said_by(self, index: int, result: str, rivals: list[int]) -> set[Question]:
        """What follows if this result was returned here. Of several places only what rules out the others: what they
        return failed, or a lookup leads here by what it found, and if it finds the other to what they return, which is
        looked up in turn."""
        said = set(self.deciding(index))
        if rivals:
            failed = {each for each in said if each.answer == "raises"}
            not_returned = {each for each in failed if all(self._returns(other, each.at) for other in rivals)}
            if all(self._plain(self._run.returns[other]) for other in rivals if other in self._run.returns):
                elsewhere = [{(each.at, each.answer) for each in self.deciding(other)} for other in rivals]
                not_returned |= {
                    each
                    for each in said
                    if (each.answer not in _TRUTHS or each.callee)
                    and each.answer in _APART
                    and all((each.at, _APART[each.answer]) in others for others in elsewhere)
                }
            return not_returned
        if self._constant(index) is None:
            said |= self._parts(self._run.returns[index], result)
        return said | self._looked_up(index) if result == "true" else said

    def _if_not_refused(self, returns: list[int]) -> list[Question]:
        """What was answered whenever the function comes back, if it may raise by itself: `if key in d: raise`."""
        run = self._run
        may_raise = any(
            depth >= 0 and each.name == "RAISE_VARARGS" for depth, each in zip(run.depth, run.instructions, strict=True)
        )
        if not may_raise or not returns:
            return []
        return sorted(self._always(returns), key=lambda each: each.at)[-_MOST_ASKED:]

    def _always(self, places: list[int]) -> set[Question]:
        """What was answered at whichever of the places control came to."""
        asked = [self.deciding(index) for index in places]
        alike = [frozenset(map(self._meaning, each)) for each in asked]
        return {one for each in asked for one in each if all(self._meaning(one) in others for others in alike)}

    def _if_not_there(self, returns: list[int]) -> set[Result]:
        """What is returned in any case if a lookup fails, and maybe not if it does not: more may be asked of what is
        there (`MORE`)."""
        lookups = [each for each in self._lookups if self._run.escapes[each] != UNREACHED]
        found: set[Result] = set()
        try:
            for lookup in lookups[:_MOST_ASKED]:
                ends = {each for each in returns if self._conditions.may_lead(self._run.escapes[lookup], each, lookup)}
                for result, opposite in _OPPOSITES:
                    others = [each for each in returns if each not in ends and self._may_give(each, opposite)]
                    if (
                        ends
                        and all(self._gives_only(each, result) for each in ends)
                        and any(self._conditions.may_lead(lookup, each, UNREACHED) for each in others)
                    ):
                        made_of = (node for each in others for node in self._run.returns.get(each, ()))
                        more = OF_IT if self._is_asked_of(lookup, made_of) else MORE
                        found.add(Result(result, Question(lookup, more, "__getitem__")))
        except TooMuch:
            return set()
        return found

    def _of_predicate(self, returns: list[int]) -> set[Result]:
        """What a function that tells whether something is so has asked of what it read, if its result does not tell
        (`OF_IT`): `return not self.token or self.token.until < now()`."""
        if any(self._constant(each) is None and not self._is_predicate(each) for each in returns):
            return set()
        if all(self._constant(each) is not None for each in returns):
            return set()
        run = self._run
        asked = {node for index in returns if index in run.returns for node in run.returns[index]}
        asked |= {node for branch in run.conditions for node in run.conditions[branch]}
        behind = sorted(node for node in self._conditions.made_of(frozenset(asked)) if node >= 0)
        compared = {
            given
            for node in behind
            if run.instructions[node // 2].name in ("CALL", "CALL_KW", "COMPARE_OP")
            for nodes in run.inputs[node]
            for given in nodes
        }
        reads = {node // 2 for node in behind if HERE.opcodes[run.instructions[node // 2].name].makes is Makes.READ}
        ways = [(branch, way) for branch in run.conditions for way in run.ways[branch]]
        for_nothing = {each.at for way in ways for each in self._asked(*way) if each.answer in _NOTHING}
        found = set()
        for index in sorted(reads)[-_MOST_ASKED:]:
            callee, is_of_it = self._callee(index), self._is_asked_of(index, compared)
            if callee is not None and (is_of_it or index in for_nothing):
                found |= {Result(each, Question(index, OF_IT if is_of_it else MORE, callee)) for each in _TRUTHS}
        return found

    def _is_predicate(self, index: int) -> bool:
        """Whether it is told there if something is so: by a comparison, or by one that an `and` or `or` ends with."""
        root = self._conditions.value(self._run.returns[index])
        last = max((one for node in root for one in self._conditions.value(frozenset((node,)))), default=UNREACHED)
        return last >= 0 and self._run.instructions[last // 2].name in ("COMPARE_OP", *_TRUE_OR_FALSE)

    def looked_up(self, index: int) -> set[Question]:
        """What was there, as it was looked up on all ways to an instruction, and would have led elsewhere: `try: item =
        d[k]` and `except KeyError: return`."""
        return {each for each in self._looked_up(index) if self._run.escapes[each.at] != UNREACHED}

    def _looked_up(self, index: int) -> set[Question]:
        """What was there, as it was looked up on all ways to an instruction, and would have raised."""
        conditions = self._conditions
        found = [
            each
            for each in self._lookups
            if self._dominators.dominates(each, index) and not conditions.is_in_loop(each)
        ]
        try:
            return {
                Question(each, "present", "__getitem__")
                for each in found[-_MOST_ASKED:]
                if self._run.escapes[each] == UNREACHED or not conditions.may_lead(self._run.escapes[each], index, each)
            }
        except TooMuch:
            return set()

    @cached_property
    def _lookups(self) -> list[int]:
        run = self._run
        reached = (index for index, depth in enumerate(run.depth) if depth >= 0)
        return [index for index in reached if self._may_fail(index) and self._callee(index) == "__getitem__"]

    def _returns(self, index: int, made_by: int) -> bool:
        return index in self._run.returns and {
            node // 2 for node in self._conditions.value(self._run.returns[index])
        } == {made_by}

    def _plain(self, nodes: Nodes) -> Question | None:
        """What is returned as it was read, or as another function gave it."""
        root = self._conditions.value(nodes)
        node = min(root, default=UNREACHED)
        if len(root) != 1 or node < 0:
            return None
        index, callee = node // 2, self._callee(node // 2)
        is_answer = index in self._run.testing_calls or callee in ("bool", "__contains__")  # of another question
        return None if callee is None or is_answer else Question(index, "", callee)

    def _parts(self, nodes: Nodes, result: str) -> set[Question]:
        """What is said by a value that is returned; all parts of an `and` that is true, of an `or` that is false. Of an
        `and` that is false only the last part, as its read shows that control came there; so of an `or`."""
        is_for_none, is_so = result not in _TRUTHS, result in ("true", "is None")
        root = self._conditions.value(nodes)
        parts = sorted(one for node in root for one in self._conditions.value(frozenset((node,))))
        are_some = not is_for_none and 1 < len(parts) <= _MOST_PARTS and parts[0] >= 0
        if are_some and self._goes_on(parts[-2], parts[-1], not is_so):
            return {*self._of_value(root, False, is_so), *self._of_value(frozenset(parts[-1:]), False, is_so)}
        if not are_some or not all(self._goes_on(*each, is_so) for each in itertools.pairwise(parts)):
            return set(self._of_value(root, is_for_none, is_so))
        return {each for part in parts for each in self._of_value(frozenset((part,)), False, is_so)}

    def _goes_on(self, part: int, following: int, is_so: bool) -> bool:
        """Whether the following part is made if the first one `is_so`, and only then."""
        for branch, successor in self._conditions.dependence.directly(following // 2):
            way = self._conditions.way(branch, successor) if branch in self._run.conditions else None
            if way == (False, is_so):
                tested = self._conditions.value(self._run.conditions[branch])
                node = min(tested, default=UNREACHED)
                if len(tested) == 1 and node >= 0 and self._run.instructions[node // 2].name == "TO_BOOL":
                    tested = self._conditions.value(self._run.inputs[node][0])
                if tested == frozenset((part,)):
                    return True
        return False


def _is(constant: object, is_for_none: bool) -> bool:
    return constant is None if is_for_none else bool(constant)
