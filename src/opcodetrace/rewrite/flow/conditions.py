"""What tests of reads decide: conditional updates, and the checks that an access is under (`Conditions.tests`).

A conditional update is a write that a test of a read decided upon, while the other branch writes what was read,
changed.

`if k in d: d[k] += 1 else: d[k] = 1` stores a constant, and is an update all the same: it builds on what the test saw.
The fields `tested` and `failed` of `trace.site.Flow` say what that is; here they are found.
"""

import bisect
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from opcodetrace.rewrite.decode import Instruction
from opcodetrace.rewrite.flow.awaited import given_by
from opcodetrace.rewrite.flow.control import UNREACHED, ControlDependence, Paths, TooMuch
from opcodetrace.rewrite.flow.interpretation import AbstractInterpreter
from opcodetrace.rewrite.flow.keys import Key, constant_key, key_may_be
from opcodetrace.rewrite.flow.nodes import NOTHING, Node, Nodes, parameter, unbound
from opcodetrace.rewrite.flow.resolution import Resolver
from opcodetrace.rewrite.flow.sources import Definition, StaticSources
from opcodetrace.rewrite.interpreters import COMPARISONS, HERE, TRUTH_TESTS, Makes, operation_of
from opcodetrace.spool.messages import LONGEST_ANSWER
from opcodetrace.trace.site import AT, MORE, ORDER, STATES, TAKEN, WRITTEN

ANYWHERE: Key = ("any", None)

_ITEMS = ("item", "any")  # kinds of keys
_KEYS = (*_ITEMS, "name", "cell")
_ENDS = (("constant", "int", "0"), ("constant", "int", "-1"))  # the text of the indexes that what is not empty has
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONTAINERS = {"dict", "list", "set", "OrderedDict", "defaultdict", "Counter", "deque"}  # classes: dict.get(d, k)
_ITEM_METHODS = ("get", "pop", "setdefault", "__getitem__", "__setitem__", "__contains__")
ADDS = frozenset(["append", "add", "extend"])  # methods that put items into a container
HEAP_FUNCTIONS = frozenset(["heappop", "heapreplace"])  # of a module: they raise if the list is empty
_COMPARED = ("int", "str", "bool", "NoneType")  # types of constants
_LONGEST = 60  # characters of a constant
_LONGEST_MEMBERS = LONGEST_ANSWER - len("not in ")  # of several
_BUILDS = ("BUILD_TUPLE", "BUILD_LIST", "BUILD_SET")
_MOST_TESTS = 8  # of one access, that are kept: the nearest before it
_DEEPEST = 20  # operators in the text of a location
_MOST_NODES = 1_000  # values looked at for one test
_MOST_STEPS = 300_000  # straight pieces of code passed, in one code object


class Decided(NamedTuple):
    """By what a write or an assignment was decided, in indexes of instructions."""

    tested: frozenset[int]
    failed: frozenset[int]


class Question(NamedTuple):
    """What is asked of what an instruction gives, and the answer (see `trace.site.Asked`)."""

    at: int  # the instruction's index
    answer: str
    callee: str


class _Answered(NamedTuple):
    """See `Conditions._answered_by`."""

    asked: int
    answer: str
    sides: list[tuple[int, str, Nodes]]
    others: dict[int, str]


class Conditions:
    """The tests of one code object, and what they decide."""

    def __init__(self, run: AbstractInterpreter, resolver: Resolver, keys: Mapping[int, Key]) -> None:
        self._run = run
        self._resolver = resolver
        self._keys = keys
        self._paths = Paths(run.ways, run.escapes, _MOST_STEPS)
        self._unbound = {unbound(slot) for slot in range(len(run.code.co_varnames))}
        self._tests: dict[int, frozenset[int]] = {}
        self._values: dict[Nodes, Nodes] = {}
        self._read_keys: dict[int, Key | None] = {}
        self._answered: dict[tuple[int, int], _Answered] = {}
        self._texts: dict[Nodes, Hashable] = {}
        self._tried: dict[int, set[int]] = {}  # a handler: the reads whose failure leads there
        self._tried_by_text: dict[int, dict[Hashable, list[int]]] = {}
        for index, handler in enumerate(run.escapes):
            if handler != UNREACHED and self._read_key(index) is not None:
                self._tried.setdefault(handler, set()).add(index)

    @cached_property
    def dependence(self) -> ControlDependence:
        return ControlDependence(self._with_handlers())

    def is_in_loop(self, index: int) -> bool:
        """Whether control may come back to an instruction, or that would take too long to tell."""
        try:
            return self._has_loops and self._paths.leads(index, index, ())
        except TooMuch:
            return True

    def may_lead(self, start: int, goal: int, avoiding: int) -> bool:
        """Whether control can come from one instruction to another without a third one. Raises TooMuch."""
        return start == goal or (start != avoiding and self._paths.leads(start, goal, (avoiding,)))

    @cached_property
    def _has_loops(self) -> bool:
        return any(successor <= index for index, ways in enumerate(self._run.ways) for successor in ways)

    def writes(self, writes: Mapping[int, StaticSources], definitions: Iterable[Definition]) -> dict[int, Decided]:
        """The conditional updates among the writes."""
        if not self._run.conditions and not self._tried:
            return {}
        through: dict[int, set[int]] = {}  # a variable: the reads that it may be made of
        for definition in definitions:
            read = definition.sources.reads | definition.sources.called_reads
            through.setdefault(definition.phi, set()).update(read)
        updates = {write for write, sources in writes.items() if self._is_update(write, sources, through)}
        found = {}
        for write in writes.keys() - updates if updates else ():
            key = self._keys[write]
            rivals = [other for other in updates if key_may_be(self._keys[other], key) and self.are_alike(write, other)]
            if rivals:
                decided = self._decided(write, [key], rivals)
                if decided is not None:
                    found[write] = decided
        return found

    def definitions(
        self, writes: Mapping[int, StaticSources], definitions: Iterable[Definition]
    ) -> dict[tuple[int, int], Decided]:
        """The assignments that make a conditional update of a write of the variable, by (after, phi)."""
        by_phi: dict[int, list[Definition]] = {}
        for definition in definitions:
            by_phi.setdefault(definition.phi, []).append(definition)
        found = {}
        for phi, row in by_phi.items():
            read = {index for each in row for index in each.sources.reads | each.sources.called_reads}
            plain = [each for each in row if each.after >= 0 and not _is_made_of_any(each.sources)] if read else []
            uses = self._uses(phi, writes, by_phi) if plain else set()
            uses = {use for use in uses if any(self.are_alike(use, index) for index in read)}
            for definition in plain if uses else ():
                decided = self._decided(definition.after, [self._keys[use] for use in uses], sorted(uses))
                if decided is not None:
                    found[definition.after, phi] = decided
        return found

    def tests(
        self,
        accesses: Iterable[int],
        deciding: Callable[[int], Iterable[Question]],
        looked_up: Callable[[int], Iterable[Question]],
    ) -> dict[int, dict[int, str]]:
        """Of each access, the reads that a branch tested which decided that it is executed, and what they had found
        (`trace.site.Test`). `deciding` gives what was answered on all ways to an access; other branches lead there on
        some ways only. `looked_up` gives what was there, or would have led elsewhere: of what is taken out, that tells
        as much as a branch.

        Only reads of what may be the same location, as far as the code tells: `if k in d: del d[k]`."""
        tested = {branch: self._asked_by(branch) for branch in self._run.conditions}
        if not any(tested.values()) and not self._tried:
            return {}
        found = {}
        for index in accesses:
            key = ANYWHERE if index in self._run.given else self._read_key(index) or self._keys.get(index)
            if key is None:
                continue
            wanted = _ITEMS if key == ANYWHERE else _KEYS  # a call of what changes a container, or reads it
            answers: dict[int, set[str]] = {}
            for branch, successor in self.dependence.decided_by(index):
                for read, answer in self._answers(branch, successor, tested, index):
                    own = self._read_key(read) or ANYWHERE
                    if read != index and own[0] in wanted and key_may_be(own, key) and self._is_about(read, index):
                        answers.setdefault(read, set()).add(answer)
            for read, answer, _ in deciding(index) if tested else ():
                read_key = self._read_key(read)
                is_told = len(answers.get(read, ())) == 1 or read == index
                if is_told or read_key is None or read_key[0] not in wanted or not key_may_be(read_key, key):
                    continue
                if self._is_about(read, index):
                    answers[read] = {answer}
            for read, answer, _ in looked_up(index) if self._tried and self._takes_out(index) else ():
                read_key, is_told = self._read_key(read), answers.get(read, {""}) != {""}
                if not is_told and read_key is not None and key_may_be(read_key, key) and self._is_about(read, index):
                    answers[read] = {answer}
            if answers:
                nearest = sorted(answers, key=lambda read: (read < index, read))[-_MOST_TESTS:]
                found[index] = {read: self._told(index, read, answers[read]) for read in nearest}
        return found

    def _takes_out(self, index: int) -> bool:
        """Whether it takes an item out of a container, and fails if there is none: `del d[k]`, `d.pop(k)`."""
        if self._run.instructions[index].name == "DELETE_SUBSCR":
            return True
        is_pop = index in self._run.given and self._run.callee_names(self._run.given[index]) == {"pop"}
        return is_pop and len(self._operands(index)) == 2

    def _told(self, act: int, read: int, answers: set[str]) -> str:
        """What a read had found: one of these."""
        if len(answers) == 1 and "" not in answers:
            return min(answers)
        equals = [each.removeprefix("== ") for each in answers if each.startswith("== ")]
        others = {each for each in answers if not each.startswith("== ")}
        members = f"({', '.join(sorted(equals))},)"
        if len(equals) > 1 and others <= {f"not == {each}" for each in equals} and len(members) <= _LONGEST_MEMBERS:
            return f"in {members}"  # it cannot be all of them: `case "new" | "open"`
        if act not in self._run.stored or self._is_compared(act, read):
            return ""
        asking = (branch for branch, _ in self.dependence.decided_by(act) if branch in self._run.conditions)
        is_order = all(self._is_of_order(each, read) for each in asking if read in self._asked_by(each))
        return ORDER if is_order else MORE

    def _is_of_order(self, branch: int, read: int) -> bool:
        """Whether a conditional jump asks if what is read, or a sum of it, is less or greater than something else."""
        run, nodes = self._run, self._run.conditions[branch]
        for _ in range(_DEEPEST):
            root = self.value(nodes)
            node = min(root, default=UNREACHED)
            if len(root) != 1 or node < 0:
                break
            instruction = run.instructions[node // 2]
            if instruction.name == "COMPARE_OP":
                is_order = COMPARISONS[instruction.arg >> HERE.comparison_shift] in _MIRRORED
                return is_order and all(self._is_a_sum(side, read) for side in run.inputs[node])
            if instruction.name not in ("TO_BOOL", "UNARY_NOT"):
                break
            nodes = run.inputs[node][0]
        return False

    def _is_a_sum(self, side: Nodes, read: int) -> bool:
        """Whether a side of a comparison, if it is made of what is read, is no more than a sum of it."""
        made_by = {node // 2 for node in self.made_of(side) if node >= 0}
        return read not in made_by or not any(
            each in self._run.given or self._operation(each) not in ("", "BINARY_ADD", "BINARY_SUBTRACT")
            for each in made_by
        )

    def _operation(self, index: int) -> str:
        """Of arithmetic; else none."""
        instruction = self._run.instructions[index]
        operation = operation_of(instruction.name, instruction.arg) if instruction.name == "BINARY_OP" else ""
        return "" if operation == "LOAD_SUBSCR" else operation

    def _is_compared(self, write: int, read: int) -> bool:
        """Whether what is written takes part in what is asked of a read."""
        written = self.value(self._run.stored[write])
        return any(
            not written.isdisjoint(self.value(frozenset((node,))))
            for branch, _ in self.dependence.decided_by(write)
            if branch in self._run.conditions and read in self._asked_by(branch)
            for node in self._nodes_behind(branch)
        )

    def _answers(
        self, branch: int, successor: int, tested: Mapping[int, Iterable[int]], index: int
    ) -> Iterator[tuple[int, str]]:
        """The reads on which it depends that control goes this way, and what each must find for that. Of the very
        many that may lead to a handler by an error, only the nearest ones of the location that `index` accesses."""
        if branch in tested and successor in self._run.ways[branch]:
            asked, answer, sides, others = self._answered_by(branch, successor)
            answers = {read: self.compared(sign, other, index) for read, sign, other in sides}
            if answer or asked not in answers:
                answers[asked] = answer
            answers |= others
            for read in tested[branch]:
                yield read, answers.get(read, "")
        elif successor in self._tried:
            reads = self._tried_at(successor).get(self._location(index), [])
            before = bisect.bisect_left(reads, index)
            for read in reads[max(0, before - _MOST_TESTS) : before] or reads[-_MOST_TESTS:]:
                yield read, "raises"

    def _answered_by(self, branch: int, successor: int) -> _Answered:
        """What is answered if control goes this way: by what is asked, by the sides of a comparison, and by others."""
        found = self._answered.get((branch, successor))
        if found is None:
            asked, answer = self._question(branch, successor)
            way = self.way(branch, successor)
            sides = [] if way is None or way[0] else list(self.sides(self._run.conditions[branch], way[1]))
            others = {} if way is None or way[0] else self._truths(branch, way[1])
            if asked == UNREACHED and way is not None:
                others |= self.asked_of_one(branch, *way)
            found = self._answered[branch, successor] = _Answered(asked, answer, sides, others)
        return found

    def _truths(self, branch: int, is_so: bool) -> dict[int, str]:
        """What asks for the truth of the value that a conditional jump tests, and what that is."""
        found = {}
        instructions, nodes = self._run.instructions, self._run.conditions[branch]
        if instructions[branch].name in TRUTH_TESTS:
            found[branch] = "true" if is_so else "false"
        for _ in range(_DEEPEST):
            nodes = self.value(nodes)
            node = min(nodes, default=UNREACHED)
            name = instructions[node // 2].name if len(nodes) == 1 and node >= 0 else ""
            if name not in ("TO_BOOL", "UNARY_NOT"):
                break
            is_so = is_so != (name == "UNARY_NOT")
            if name in TRUTH_TESTS:
                found[node // 2] = "true" if is_so else "false"
            nodes = self._run.inputs[node][0]
        return found

    def _tried_at(self, handler: int) -> Mapping[Hashable, list[int]]:
        """The reads whose failure leads to a handler, by the text of their location, as far as that is known."""
        found = self._tried_by_text.get(handler)
        if found is None:
            found = self._tried_by_text[handler] = {}
            for read in sorted(self._tried[handler]):
                text = self._location(read)
                if text is not None:
                    found.setdefault(text, []).append(read)
        return found

    def _question(self, branch: int, successor: int) -> tuple[int, str]:
        """What a conditional jump asks a read directly, as what that found if control then goes to `successor`."""
        way = self.way(branch, successor)
        return (UNREACHED, "") if way is None else self.asked(self._run.conditions[branch], *way)

    def way(self, branch: int, successor: int) -> tuple[bool, bool] | None:
        """If a conditional jump goes to `successor`: whether it asks for None, and whether it is so; None if it is no
        such jump."""
        jump = self._run.instructions[branch]
        if jump.target is None or "_IF_" not in jump.name or len(set(self._run.ways[branch])) < 2:
            return None
        is_taken = successor == jump.target
        return jump.name.endswith("_NONE"), is_taken != ("IF_FALSE" in jump.name or "IF_NOT_NONE" in jump.name)

    def asked_of_one(self, branch: int, is_for_none: bool, is_so: bool) -> dict[int, str]:
        """The same if what is tested is one of several values: of each read that, if it was made, gave the value."""
        found = {}
        for variable in self._variables_behind(branch):
            for member in variable:
                nodes = self.value(frozenset((member,)))
                read = min(nodes, default=UNREACHED) // 2
                if len(nodes) == 1 and read >= 0 and self._is_surely_it(read, member, variable, branch):
                    asked, answer = self.asked(self._run.conditions[branch], is_for_none, is_so, (variable, nodes))
                    if asked == read:
                        found[read] = answer
        return found

    def _variables_behind(self, branch: int) -> list[Nodes]:
        """What a conditional jump tests, or compares, that has one of several values."""
        nodes = self._run.conditions[branch]
        for _ in range(_DEEPEST):
            root = self.value(nodes)
            if len(root) > 1:
                return [root] if min(root) >= 0 else []
            node = min(root, default=UNREACHED)
            name = self._run.instructions[node // 2].name if node >= 0 else ""
            if name in ("IS_OP", "COMPARE_OP"):
                sides = [self.value(side) for side in self._run.inputs[node]]
                return [side for side in sides if len(side) > 1 and min(side) >= 0]
            if name not in ("TO_BOOL", "UNARY_NOT"):
                break
            nodes = self._run.inputs[node][0]
        return []

    def _is_surely_it(self, read: int, member: Node, variable: Nodes, branch: int) -> bool:
        """Whether a variable has the value of a read at a branch, if that read was made at all: it is given to the
        variable on every way there, and nothing else after it."""
        given = member // 2
        leads = self._paths.leads
        try:
            return (
                not self.is_in_loop(read)
                and (given == read or not leads(read, branch, (given,)))
                and not any(leads(given, other // 2, (branch,)) for other in variable if other != member)
            )
        except TooMuch:
            return False

    def asked(
        self, nodes: Nodes, is_for_none: bool, is_so: bool, instead: tuple[Nodes, Nodes] = (NOTHING, NOTHING)
    ) -> tuple[int, str]:
        """What found it, and what, if it `is_so` that a value is true, or None. A value can be taken to be another one
        `instead`."""
        run = self._run

        def value(nodes: Nodes) -> Nodes:
            root = self.value(nodes)
            return instead[1] if root == instead[0] else root

        for _ in range(_DEEPEST):
            nodes = value(nodes)
            node = min(nodes, default=UNREACHED)
            if len(nodes) != 1 or node < 0:
                break
            index = node // 2
            instruction = run.instructions[index]
            operands = run.inputs[node]
            if is_for_none:
                return index, "is None" if is_so else "is not None"
            match instruction.name:
                case "TO_BOOL":
                    nodes = operands[0]
                case "UNARY_NOT":
                    nodes, is_so = operands[0], not is_so
                case "CONTAINS_OP":
                    is_so = is_so != bool(instruction.arg & 1)
                    members, one = self._members(operands[1]), value(operands[0])
                    if members is not None and len(one) == 1 and min(one) >= 0:
                        return min(one) // 2, f"{'' if is_so else 'not '}in {members}"
                    return index, "present" if is_so else "absent"
                case "IS_OP" | "COMPARE_OP":
                    return self._comparison(instruction, [value(each) for each in operands], is_so)
                case "CALL" if index in run.testing_calls:
                    return index, "present" if is_so else "absent"
                case "CALL" if index in run.lens and run.callee_names(operands) == {"bool"}:
                    nodes = operands[-1]
                case _:
                    return index, "true" if is_so else "false"
        return UNREACHED, ""

    def _comparison(self, instruction: Instruction, operands: list[Nodes], is_so: bool) -> tuple[int, str]:
        """The same of a value that is compared with a constant."""
        constants = [self.constant(nodes) for nodes in operands]
        if constants[0] is None and constants[1] is None and instruction.name == "IS_OP":
            read = max(self._given_for_nothing(*operands), self._given_for_nothing(*operands[::-1]))
            if read == UNREACHED:
                return UNREACHED, ""
            return read, "absent" if is_so != bool(instruction.arg & 1) else "present"
        if (constants[0] is None) == (constants[1] is None):
            return UNREACHED, ""
        compared = self.value(operands[constants[0] is not None])
        kind, written = constants[0] or constants[1] or ("", "")
        if len(compared) != 1 or min(compared) < 0:
            return UNREACHED, ""
        read = min(compared) // 2
        if instruction.name == "IS_OP":
            is_so = is_so != bool(instruction.arg & 1)
            if kind == "bool":
                return read, f"{'' if is_so else 'not '}is {written}"
            return read, ("is None" if is_so else "is not None") if kind == "NoneType" else ""
        operator = COMPARISONS[instruction.arg >> HERE.comparison_shift]
        if constants[0] is not None:
            operator = _MIRRORED.get(operator, operator)
        if kind not in _COMPARED or len(written) > _LONGEST:
            return read, ""
        return read, f"{'' if is_so else 'not '}{operator} {written}"

    def _members(self, container: Nodes) -> str | None:
        """How the source writes a container of constants and of names with an owner (members of an Enum), as a tuple:
        `("new", State.OPEN)`; None if it is no such container."""
        root = self.value(container)
        node = min(root, default=UNREACHED)
        if len(root) != 1 or node < 0:
            return None
        match self.constant_value(root):
            case (tuple() | frozenset() as constants,):
                if any(type(each).__name__ not in _COMPARED for each in constants):
                    return None
                written = [repr(each) for each in constants]
                written = sorted(written) if isinstance(constants, frozenset) else written
            case _ if self._run.instructions[node // 2].name in _BUILDS:
                written = [name for each in self._run.inputs[node] if (name := self._written(each)) is not None]
                if len(written) < len(self._run.inputs[node]):
                    return None
            case _:
                return None
        text = f"({', '.join(written)},)"
        return text if len(text) <= _LONGEST_MEMBERS else None

    def _written(self, nodes: Nodes) -> str | None:
        """How the source writes a constant, or a name with an owner."""
        match self._text(nodes):
            case ("constant", str(kind), str(written)) if kind in _COMPARED:
                return written
            case ("name", int(name), _, ("name", int(owner), *_)):
                names = self._run.code.co_names
                return f"{names[owner]}.{names[name]}" if names[owner][:1].isupper() else None
        return None

    def _given_for_nothing(self, value: Nodes, sentinel: Nodes) -> int:
        """The call that gives a value, and would give the other one if there is nothing: `d.get(k, missing)`."""
        run, root = self._run, self.value(value)
        call = min(root, default=UNREACHED) // 2
        if len(root) != 1 or call < 0 or call not in run.reading_calls:
            return UNREACHED
        operands = self._operands(call)
        if len(operands) != 3 or not {"get", "getattr"} & run.callee_names(run.inputs[2 * call]):
            return UNREACHED
        return call if self._text(operands[2]) == self._text(sentinel) else UNREACHED

    def sides(self, nodes: Nodes, is_so: bool) -> Iterator[tuple[int, str, Nodes]]:
        """If it `is_so` that a value is true that is a comparison of what is no constant: each side, how it compares,
        and the other one."""
        run = self._run
        for _ in range(_DEEPEST):
            root = self.value(nodes)
            node = min(root, default=UNREACHED)
            name = run.instructions[node // 2].name if len(root) == 1 and node >= 0 else ""
            if name in ("COMPARE_OP", "IS_OP", "CONTAINS_OP"):
                break
            if name not in ("TO_BOOL", "UNARY_NOT"):
                return
            is_so = is_so != (name == "UNARY_NOT")
            nodes = run.inputs[node][0]
        else:
            return
        operands = run.inputs[node]
        if any(self.constant(operand) is not None for operand in operands):
            return
        instruction = run.instructions[node // 2]
        left, right = operands
        if instruction.name == "CONTAINS_OP":
            compared = self.value(left) if self._members(right) is None else NOTHING
            if len(compared) == 1 and min(compared) >= 0 and self._is_read(right):
                yield min(compared) // 2, f"{'' if is_so != bool(instruction.arg & 1) else 'not '}in", right
            return
        if instruction.name == "IS_OP":
            operator, is_so = "is", is_so != bool(instruction.arg & 1)
        else:
            operator = COMPARISONS[instruction.arg >> HERE.comparison_shift]
        for operand, other, sign in ((left, right, operator), (right, left, _MIRRORED.get(operator, operator))):
            compared = self.value(operand)
            if len(compared) == 1 and min(compared) >= 0:
                yield min(compared) // 2, f"{'' if is_so else 'not '}{sign}", other

    def compared(self, sign: str, other: Nodes, act: int) -> str:
        """How a read compares: with what the act writes, or subtracts from it, or with another read; "" if with
        anything else (`trace.site.Test`)."""
        run = self._run
        root = self.value(other)
        stored = self.value(run.stored[act]) if act in run.stored else frozenset()
        if root and root == stored:  # to write what is there already does no harm
            return f"{sign} {WRITTEN}" if "<" in sign or ">" in sign else ""
        made_by = min(stored, default=UNREACHED)
        if len(stored) == 1 and made_by >= 0:
            instruction = run.instructions[made_by // 2]
            if operation_of(instruction.name, instruction.arg) == "BINARY_SUBTRACT":
                before, taken = run.inputs[made_by]
                reads = {node // 2 for node in self.value(before)}
                if self.value(taken) == root and len(reads) == 1 and self.are_alike(act, *reads):
                    return f"{sign} {TAKEN}"
        index = min(root, default=UNREACHED) // 2
        if len(root) != 1 or index < 0 or self._read_key(index) is None:
            return ""
        if sign.endswith("in"):
            return f"{sign} {STATES}"
        return f"{sign} {AT}{2 * run.instructions[index].at}"

    def _is_read(self, nodes: Nodes) -> bool:
        root = self.value(nodes)
        return len(root) == 1 and min(root) >= 0 and self._read_key(min(root) // 2) is not None

    def value(self, nodes: Nodes) -> Nodes:
        """What a value is a copy of. A variable that has none yet is none: to load it raises."""
        found = self._values.get(nodes)
        if found is None:
            found = self._values[nodes] = self._value(nodes)
        return found

    def _value(self, nodes: Nodes) -> Nodes:
        root = self._awaited(self._resolver.root(nodes))
        passed = {root}
        while len(root) > 1:
            bound = frozenset(node for node in root if node not in self._unbound)
            if bound == root or not bound:
                break
            root = self._awaited(self._resolver.root(bound))
            if root in passed:  # variables that are given each other in turn
                break
            passed.add(root)
        return root

    def _awaited(self, root: Nodes) -> Nodes:
        given = given_by(self._run, min(root, default=UNREACHED)) if len(root) == 1 else NOTHING
        return self._resolver.root(given) if given else root

    def constant_value(self, nodes: Nodes) -> tuple[object] | None:
        """The value, if it is a constant."""
        root = self.value(nodes)
        node = min(root, default=UNREACHED)
        if len(root) == 1 and node >= 0:
            instruction = self._run.instructions[node // 2]
            match instruction.name:
                case "LOAD_CONST":
                    return (self._run.code.co_consts[instruction.arg],)
                case "LOAD_SMALL_INT":
                    return (instruction.arg,)
        return None

    def constant(self, nodes: Nodes) -> tuple[str, str] | None:
        """Its type's name and how it is written, if the value is a constant."""
        match self._text(nodes):
            case ("constant", str(kind), str(written)):
                return kind, written
        return None

    def _asked_by(self, branch: int) -> frozenset[int]:
        """The reads that a conditional jump depends on, and what asks a container for its truth or its length."""
        run = self._run
        return frozenset(
            index
            for index in self._behind(branch) | {branch}
            if run.instructions[index].name in TRUTH_TESTS or index in run.lens or self._read_key(index) is not None
        )

    def _is_about(self, test: int, act: int) -> bool:
        """Whether a test tells, by the texts of both, if the access can be made: of the same container, and of what the
        access needs to be there."""
        text, other_text = self._location(test), self._location(act)
        if text is not None and text == other_text:
            return True
        container = self._container(test)
        if container is None or container != self._container(act):
            return self._may_be_the_next(test, act)
        if text is not None and other_text is not None:
            return False
        wanted = self._argument(act)
        if wanted is None:
            return True
        if act in self._run.given and self._run.callee_names(self._run.inputs[2 * act]) & ADDS:
            asked = self._run.members.get(test)
            return self._text(asked) == self._text(wanted) if asked is not None else self._tells_size(test)
        asked = self._run.members.get(test) or self._argument(test)
        if asked is not None:
            return self._text(asked) == self._text(wanted)
        if self._run.instructions[test].name in TRUTH_TESTS:  # something is in it: not what
            return self._text(wanted) in _ENDS
        return test not in self._run.lens or not self._looks_for_value(act)

    def _tells_size(self, test: int) -> bool:
        return test in self._run.lens or self._run.instructions[test].name in TRUTH_TESTS

    def _may_be_the_next(self, test: int, act: int) -> bool:
        """Whether an attribute is tested once, and then one of the same name is written of each object that a loop
        goes over: `if cls.made is None: ...; for each in cls.mro(): each.made = made`. The run tells if it is one."""
        run = self._run
        written, read = (run.instructions[index].name for index in (act, test))
        if written != "STORE_ATTR" or read != "LOAD_ATTR" or self._named(act) != self._named(test):
            return False
        made_by = [node // 2 for node in self.value(run.targets[act][0])]
        is_taken = all(index >= 0 and run.instructions[index].name == "FOR_ITER" for index in made_by)
        return is_taken and not self.is_in_loop(test)

    def _container(self, index: int) -> Hashable:
        """The text of the object that an access asks or changes; None if it cannot be told."""
        run = self._run
        if run.instructions[index].name in TRUTH_TESTS:
            return self._text(run.conditions.get(index) or run.inputs[2 * index][0])
        if index in run.lens:
            return self._text(run.inputs[2 * index][-1])
        if index in run.members:
            return self._text(self._behind_keys(run.containers[index]))
        if index in run.targets:
            return self._text(run.targets[index][0])
        if index in run.given:
            receiver = self._receiver(index)
            return None if receiver is None else self._text(receiver)
        key = self._keys.get(index, ANYWHERE)
        name = run.instructions[index].name
        of_object = key[0] == "item" or "ATTR" in name or name == "LOAD_METHOD"
        if of_object:
            return self._text(run.inputs[2 * index][0]) if run.inputs.get(2 * index) else None
        return None if key == ANYWHERE else key

    def _behind_keys(self, container: Nodes) -> Nodes:
        """Of `d.keys()`, the dictionary."""
        root = self.value(container)
        call = min(root, default=UNREACHED) // 2
        if (
            len(root) != 1
            or call not in self._run.given
            or self._run.callee_names(self._run.inputs[2 * call]) != {"keys"}
        ):
            return container
        operands = self._operands(call)
        return operands[0] if len(operands) == 1 else container

    def _receiver(self, call: int) -> Nodes | None:
        """The object that a call is about."""
        operands = self._operands(call)
        return operands[0] if operands else None

    def _argument(self, act: int) -> Nodes | None:
        """The key, index or value that an access is given; None if it needs none."""
        run = self._run
        if act not in run.given:
            return run.subscript_keys.get(act)
        if run.callee_names(run.inputs[2 * act]) == {"popitem"}:  # od.popitem(last=False)
            return None
        arguments = self._operands(act)[1:]
        if len(arguments) == 1 and run.callee_names(run.inputs[2 * act]) == {"update"}:
            return self._only_key(arguments[0]) or arguments[0]
        return arguments[0] if arguments else None

    def _only_key(self, made: Nodes) -> Nodes | None:
        """The key of a dictionary that is made with one item: `d.update({k: v})`."""
        run, root = self._run, self.value(made)
        node = min(root, default=UNREACHED)
        if len(root) != 1 or node < 0:
            return None
        instruction, inputs = run.instructions[node // 2], run.inputs[node]
        return inputs[0] if instruction.name == "BUILD_MAP" and instruction.arg == 1 and len(inputs) == 2 else None

    def _operands(self, call: int) -> Sequence[Nodes]:
        """The object that a call is about, and the arguments: of `d.get(k)`, `dict.get(d, k)`, `super().get(k)` and
        `getattr(d, k)`. Empty if it cannot be told."""
        run = self._run
        loaded = self._loaded(call)
        if loaded is None:
            return ()
        arguments = run.inputs[2 * call][2:]
        within = run.inputs[loaded]
        if not within or self._is_class(within[0]) or run.callee_names(run.inputs[2 * call]) & HEAP_FUNCTIONS:
            return arguments
        return [within[-1] if len(within) == 3 else self._behind_super(within[0]), *arguments]

    def _behind_super(self, receiver: Nodes) -> Nodes:
        """The object itself, if this is `super()` or `super(Class, object)`."""
        run = self._run
        (call,) = {node // 2 for node in receiver} if len(receiver) == 1 else (-1,)
        if call not in run.given or "super" not in run.callee_names(run.inputs[2 * call]):
            return receiver
        arguments = run.inputs[2 * call][2:]
        if not arguments and run.code.co_argcount:
            return frozenset((parameter(0),))
        return arguments[-1] if len(arguments) == 2 else receiver

    def _is_class(self, nodes: Nodes) -> bool:
        """Whether a value is a built-in class of containers, by its name: `dict`, `collections.OrderedDict`."""
        run = self._run
        (load,) = {node // 2 for node in nodes} if len(nodes) == 1 else (-1,)
        if load < 0:
            return False
        is_global = run.instructions[load].name in ("LOAD_GLOBAL", "LOAD_NAME")
        names = run.callee_names([nodes, NOTHING])
        return any(name in _CONTAINERS and (is_global or name[0].isupper()) for name in names)

    def _looks_for_value(self, act: int) -> bool:
        """Whether it fails for want of a value, however long the container is: items.remove(x)."""
        return act in self._run.given and bool({"remove", "index"} & self._run.callee_names(self._run.inputs[2 * act]))

    # --- writes and variables

    def _uses(self, phi: int, writes: Mapping[int, StaticSources], by_phi: Mapping[int, list[Definition]]) -> set[int]:
        """The writes into which the variable flows, through others too."""
        wanted, pending = {phi}, [phi]
        while pending:
            one = pending.pop()
            for other, row in by_phi.items():
                if other not in wanted and any(one in each.sources.phis | each.sources.called_phis for each in row):
                    wanted.add(other)
                    pending.append(other)
        return {write for write, sources in writes.items() if wanted & (sources.phis | sources.called_phis)}

    def _is_update(self, write: int, sources: StaticSources, through: Mapping[int, set[int]]) -> bool:
        read = set(sources.reads | sources.called_reads)
        for phi in sources.phis | sources.called_phis:
            read |= through.get(phi, set())
        return any(self.are_alike(write, each) for each in read)

    def are_alike(self, one: int, other: int) -> bool:
        """Whether two accesses are, by their text, to the same location."""
        text = self._location(one)
        return text is not None and text == self._location(other)

    def _location(self, index: int) -> Hashable:
        """The text of what an access names; None if it cannot be told."""
        run = self._run
        if index in run.reading_calls or index in run.writing_calls or index in run.testing_calls:
            return self._called(index)
        if index in run.members:
            return self._item(self._behind_keys(run.containers[index]), run.members[index])
        if index in run.targets:
            kind, targets = self._keys[index][0], run.targets[index]
            return self._item(*targets) if kind == "item" else (kind, *map(self._text, targets), self._named(index))
        if index not in self._keys:
            return None
        if HERE.opcodes[run.instructions[index].name].makes is Makes.WRITE:
            return (self._keys[index][0], self._named(index))
        if 2 * index not in run.inputs:  # it gives nothing: a deletion
            return None
        kind, operands = self._keys[index][0], run.inputs[2 * index]
        if kind == "item" and len(operands) == 2:
            return self._item(*operands)
        return (kind, *map(self._text, operands), self._named(index))

    def _item(self, container: Nodes, key: Nodes) -> Hashable:
        """The same of an item: of `o.__dict__["x"]`, the text of `o.x`."""
        name = constant_key(self._run.code, self._run.instructions, key)
        owner = self._owner(container) if isinstance(name, str) else None
        if owner is not None:
            return ("name", self._text(owner), name)
        return ("item", self._text(container), self._text(key), None)

    def _owner(self, container: Nodes) -> Nodes | None:
        """The object of which this is the dictionary of attributes: of `o.__dict__` and `vars(o)`, `o`."""
        run, root = self._run, self.value(container)
        node = min(root, default=UNREACHED)
        if len(root) != 1 or node < 0:
            return None
        index, inputs = node // 2, run.inputs[node]
        if run.instructions[index].name == "LOAD_ATTR":
            return inputs[0] if self._keys.get(index) == ("name", "__dict__") else None
        named = self._named_attribute(index) if index in run.reading_calls else None
        if named is not None:
            return named[0] if run.code.co_names[named[1]] == "__dict__" else None
        operands = self._operands(index) if index in run.given else ()
        return operands[0] if len(operands) == 1 and run.callee_names(inputs) == {"vars"} else None

    def _called(self, index: int) -> Hashable:
        """The same of a call: d.get(k), getattr(o, n), hasattr(o, n), getitem(d, k) and their like."""
        run = self._run
        node = self._loaded(index)
        if node is None:
            return None
        operands = self._operands(index)
        instruction = run.instructions[node // 2]
        shift = HERE.name_shifts.get(instruction.name)
        name = None if shift is None else run.code.co_names[instruction.arg >> shift]
        if len(operands) < 2:
            return None
        if name in ("getattr", "setattr", "hasattr"):
            attribute = constant_key(run.code, run.instructions, operands[1])
            named = attribute if isinstance(attribute, str) else self._text(operands[1])
            return ("name", self._text(operands[0]), named)
        is_method = name in _ITEM_METHODS and run.inputs[node]
        if is_method or name in ("getitem", "setitem", "contains"):
            return self._item(operands[0], operands[1])
        return None

    def _named_attribute(self, call: int) -> tuple[Nodes, int] | None:
        """Of getattr(o, "n"): the object, and the name as its place among the code's names."""
        run = self._run
        node = self._loaded(call)
        operands = run.inputs[2 * call][2:]
        if node is None or len(operands) < 2 or run.instructions[node // 2].name not in ("LOAD_GLOBAL", "LOAD_NAME"):
            return None
        attribute = constant_key(run.code, run.instructions, operands[1])
        if run.callee_names(run.inputs[2 * call]) != {"getattr"} or attribute not in run.code.co_names:
            return None
        return operands[0], run.code.co_names.index(attribute)

    def _loaded(self, call: int) -> Node | None:
        """What loads the callee; None if that is not one instruction alone."""
        callee, bound = self._run.inputs[2 * call][:2]
        if len(callee | bound) != 1:  # a method is loaded as two values, both of the same make
            callee = callee if len(callee) == 1 and not self._is_null(callee) else bound
        return min(callee) if len(callee) == 1 and min(callee) >= 0 else None

    def _is_null(self, nodes: Nodes) -> bool:
        # until 3.12 what loads a global may put a NULL below it
        names = ("PUSH_NULL",) if HERE.null_above_callee else ("PUSH_NULL", "LOAD_GLOBAL")
        return all(node >= 0 and self._run.instructions[node // 2].name in names for node in nodes)

    def _named(self, index: int) -> object:
        kind, name = self._keys[index]
        return None if kind == "item" else name

    def _text(self, nodes: Nodes, level: int = 0) -> Hashable:
        """What makes the value, as far as it can be told from the code: equal texts stand for the same expression."""
        root = self.value(nodes)
        known = self._texts.get(root)
        if known is None:
            known = self._texts[root] = self._made(root, level)
        return known

    def _made(self, root: Nodes, level: int) -> Hashable:
        if len(root) != 1 or level > _DEEPEST:
            return root
        (node,) = root
        if node < 0:
            return node
        run = self._run
        instruction = run.instructions[node // 2]
        name, arg = instruction.name, instruction.arg
        if node // 2 in run.reading_calls:
            attribute = self._named_attribute(node // 2)
            if attribute is not None:
                return ("name", attribute[1], 0, self._text(attribute[0], level + 1))
        if name == "LOAD_CONST":
            constant = run.code.co_consts[arg]
            return ("constant", type(constant).__name__, repr(constant))
        if name == "LOAD_SMALL_INT":
            return ("constant", "int", repr(arg))
        shift = HERE.name_shifts.get(name)
        if shift is not None:
            name, arg = "name", arg >> shift
        return (name, arg, node % 2, *(self._text(each, level + 1) for each in run.inputs[node]))

    # --- tests

    def _decided(self, index: int, keys: list[Key], goals: list[int]) -> Decided | None:
        """The reads of what one of `keys` may be that decided that `index` is executed, if the other branch leads to
        one of `goals`. None if there are none."""
        tested: set[int] = set()
        failed: set[int] = set()
        try:
            for branch, successor in self.dependence.decided_by(index):
                if branch in self._run.conditions and successor in self._run.ways[branch]:
                    reads = self._of_keys(self._tested_by(branch), keys)
                    others = [each for each in self._run.ways[branch] if each != successor]
                    if reads and self._leads(others, goals, (branch, index)):
                        tested |= reads
                elif successor in self._tried:
                    for read in self._of_keys(self._tried[successor], keys):
                        if self._leads(self._run.ways[read], goals, (successor, index)):
                            failed.add(read)
            # What was tested in this activation, and not only in an earlier one, is the newest at its site.
            if tested and self._paths.leads(-1, index, tested):
                tested.clear()
        except TooMuch:
            return None
        return Decided(frozenset(tested), frozenset(failed)) if tested or failed else None

    def _with_handlers(self) -> list[list[int]]:
        """The control flow with each `try` as one branch, where it begins: whether anything of it raises."""
        graph = [list(ways) for ways in self._run.ways]
        begun: set[int] = set()
        for index, handler in enumerate(self._run.escapes):
            if handler != UNREACHED and handler not in begun:
                begun.add(handler)
                graph[index].append(handler)
        return graph

    def _leads(self, starts: Iterable[int], goals: list[int], avoiding: tuple[int, ...]) -> bool:
        return any(
            start == goal or (start not in avoiding and self._paths.leads(start, goal, avoiding))
            for start in starts
            for goal in goals
        )

    def _of_keys(self, reads: Iterable[int], keys: list[Key]) -> set[int]:
        return {
            read
            for read in reads
            for own in [self._read_key(read)]
            if own and any(key_may_be(own, key) for key in keys)
        }

    def _read_key(self, index: int) -> Key | None:
        """Of what the instruction reads, if it reads."""
        if index not in self._read_keys:
            self._read_keys[index] = self._key_read(index)
        return self._read_keys[index]

    def _key_read(self, index: int) -> Key | None:
        run = self._run
        if index in run.reading_calls or index in run.testing_calls:
            return ANYWHERE
        if index in run.members:
            return ("item", constant_key(run.code, run.instructions, run.members[index]))
        key = self._keys.get(index)
        if key is None or HERE.opcodes[run.instructions[index].name].makes in (Makes.WRITE, Makes.DELETE):
            return None
        return key

    def _tested_by(self, branch: int) -> frozenset[int]:
        """The reads that a conditional jump depends on."""
        return frozenset(index for index in self._behind(branch) if self._read_key(index) is not None)

    def _behind(self, branch: int) -> frozenset[int]:
        """The instructions that make what a conditional jump tests."""
        found = self._tests.get(branch)
        if found is None:
            found = self._tests[branch] = frozenset(node // 2 for node in self._nodes_behind(branch) if node >= 0)
        return found

    def _nodes_behind(self, branch: int) -> set[Node]:
        """The values of which it is made."""
        return self.made_of(self._run.conditions[branch])

    def made_of(self, nodes: Nodes) -> set[Node]:
        """The values of which something is made, its own among them; not all of many."""
        seen: set[Node] = set()
        pending = list(nodes)
        while pending and len(seen) < _MOST_NODES:
            node = pending.pop()
            if node not in seen:
                seen.add(node)
                pending += [each for nodes in self._run.inputs[node] for each in nodes]
        return seen


def _is_made_of_any(sources: StaticSources) -> bool:
    return bool(
        sources.reads
        or sources.writes
        or sources.phis
        or sources.called_reads
        or sources.called_writes
        or sources.called_phis
    )
