"""Which reads flow into a write, and whether that depends on the path taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opcodetrace.rewrite.flow.control import Paths, TooMuch
from opcodetrace.rewrite.flow.interpretation import AbstractInterpreter
from opcodetrace.rewrite.flow.keys import Key, key_may_be
from opcodetrace.rewrite.flow.nodes import Node, Nodes, slot_of
from opcodetrace.rewrite.flow.sources import EMPTY, Definition, Found, StaticSources, union
from opcodetrace.rewrite.interpreters import HERE, Suspends

# Beyond these a write's sources are not followed but inferred at run time: very long sums, very large functions.
DEEPEST = 100  # operations on the way from a read to a write
_MOST_VISITS = 100_000  # values looked at, in one code object
_MOST_STEPS = 1_000_000  # straight pieces of code passed while asking for paths, in one code object

WRITES = frozenset(["STORE_SUBSCR", "STORE_SLICE", "STORE_ATTR", "STORE_GLOBAL", "STORE_NAME", "STORE_DEREF"])

_DISPLAYS = frozenset(
    [
        "BUILD_LIST",
        "BUILD_MAP",
        "BUILD_SET",
        "LIST_EXTEND",
        "SET_UPDATE",
        "DICT_UPDATE",
        "DICT_MERGE",
        "BUILD_CONST_KEY_MAP",
    ]
)
_MAKE = frozenset("Counter OrderedDict bytearray copy deepcopy defaultdict deque dict list set sorted".split())  # noqa: SIM905


class Resolver:
    """Answers, for each write, what flows into it; places markers if that depends on the path."""

    def __init__(self, run: AbstractInterpreter, keys: dict[int, Key], hooked: Callable[[int], bool]) -> None:
        self.run = run
        self.keys = keys
        self.hooked = hooked
        self.visits = 0
        self.level = 0
        self.definitions: dict[tuple[int, int], Definition] = {}
        self.phi_ids: dict[tuple[Nodes, str], int] = {}
        self._paths = Paths(run.ways, run.escapes, _MOST_STEPS)
        self.write_roots = {index: self.root(nodes) for index, nodes in run.stored.items() if hooked(index)}
        self.written: dict[Nodes, list[int]] = {}  # a value: the writes of it
        self.perhaps_written: dict[Nodes, list[int]] = {}  # the writes of this value or another: `c = a if p else b`
        for index, root in self.write_roots.items():
            self.written.setdefault(root, []).append(index)
            if len(root) > 1:
                for member in {self.root(frozenset((node,))) for node in root} - {root}:
                    self.perhaps_written.setdefault(member, []).append(index)
        self.put_into: dict[Nodes, list[tuple[int, Nodes]]] = {}  # containers that are made here: what is put in, where
        self.links: dict[Nodes, list[tuple[int, Nodes, Key]]] = {}  # an object: what was read and is linked with it
        for index, (containers, put) in run.puts.items():
            self._note_put(index, containers, put)
        for index, operands in run.targets.items():
            if run.instructions[index].name == "STORE_SUBSCR":
                self._note_put(index, operands[0], run.stored[index])
            elif run.instructions[index].name == "STORE_ATTR":
                self._note_link(index, operands[0], run.stored[index])
        self.cyclic: dict[int, bool] = {}
        self.marks = True  # whether variables that depend on the path get markers, else all that they may be flows in
        self.exceeded: set[int] = set()  # writes whose sources were given up

    # --- paths

    def path(self, start: int, goal: int, avoiding: Iterable[int]) -> bool:
        """Whether control can go from right after `start` to `goal` without executing any of `avoiding`.

        Raises TooMuch beyond a budget that all questions of this code object share."""
        return self._paths.leads(start, goal, avoiding)

    def in_cycle(self, index: int) -> bool:
        if index not in self.cyclic:
            self.cyclic[index] = self.path(index, index, ())
        return self.cyclic[index]

    # --- values

    def root(self, nodes: Nodes) -> Nodes:
        """The value that `nodes` is a copy of: loads and stores of locals are looked through."""
        seen = set()
        while len(nodes) == 1:
            (node,) = nodes
            if self.run.kind.get(node) != "copy" or node in seen:
                break
            seen.add(node)
            nodes = self.run.inputs[node][0]
        return nodes

    def _note_put(self, index: int, containers: Nodes, put: Nodes) -> None:
        root = self.root(containers)
        if len(root) == 1 and self._is_made_here(next(iter(root))):
            self.put_into.setdefault(root, []).append((index, put))

    def _note_link(self, index: int, owner: Nodes, value: Nodes) -> None:
        """Of a linked list: `node.next = self.head`, and then `self.head = node`; or `self.tail.next = node`, and then
        `self.tail = node`. What is written there is made of what was read there, too."""
        for one, other in ((owner, value), (value, owner)):
            root, read = self.root(one), self.root(other)
            key = self.keys.get(next(iter(read)) // 2) if len(read) == 1 else None
            if len(root) == 1 and key is not None:
                self.links.setdefault(root, []).append((index, read, key))

    def _is_made_here(self, node: Node) -> bool:
        """Whether it is a container that this code makes: a display, a comprehension, a copy."""
        if node < 0:
            return False
        name = self.run.instructions[node // 2].name
        if name in ("CALL", "CALL_KW") and node // 2 in self.run.given:
            return bool(self.run.callee_names(self.run.given[node // 2]) & _MAKE)
        return name in _DISPLAYS

    def sources(self, write: int) -> StaticSources:
        before = dict(self.definitions), dict(self.phi_ids)
        found = Found()
        try:
            self._visit_set(self.run.stored[write], write, self.keys[write], False, found, {})
        except TooMuch:
            self.definitions, self.phi_ids = before
            self.level = 0
            self.exceeded.add(write)
            return EMPTY._replace(opaque=True)
        return found.sources()

    def handed_over(self, nodes: Nodes, consumer: int) -> StaticSources:
        """What flows out of this function by `consumer`, which calls or returns, or into it: all that may, whatever the
        path that was taken, so that nothing must be marked."""
        found = Found()
        self.marks = False
        try:
            self._visit_set(nodes, consumer, ("any", None), False, found, {})
        except TooMuch:
            self.level = 0
            return EMPTY
        finally:
            self.marks = True
        return found.sources()

    def _visit_set(
        self, nodes: Nodes, consumer: int, key: Key, called: bool, found: Found, above: dict[Nodes, bool]
    ) -> None:
        """Adds to `found` what flows from `nodes` into the instruction `consumer`.

        `above` holds the phis on the way here; one that is met again below itself is marked True: it updates itself.
        """
        root = self.root(nodes)
        if (root, called) in found.visited:
            if root in above:
                above[root] = True
            if (root, repr(key)) not in self.phi_ids:
                self._own_writes(root, consumer, key, called, found)
            return
        if len(root) == 1:
            self._own_writes(root, consumer, key, called, found)
            found.visited.add((root, called))
            (node,) = root
            self._visit_node(node, key, called, found, above)
            for put_at, put in self.put_into.get(root, ()):
                if self.path(put_at, consumer, (node // 2,)):
                    self._visit_set(put, put_at, key, True, found, above)
            for linked_at, read, own in self.links.get(root, ()):
                if key_may_be(own, key) and self.path(linked_at, consumer, (node // 2,) if node >= 0 else ()):
                    self._visit_set(read, linked_at, key, True, found, above)
        elif root in above:
            above[root] = True
        elif root:
            self._visit_phi(root, consumer, key, called, found, above)

    def _visit_node(self, node: Node, key: Key, called: bool, found: Found, above: dict[Nodes, bool]) -> None:
        self.level += 1
        self.visits += 1
        if self.level > DEEPEST or self.visits > _MOST_VISITS:
            raise TooMuch
        self._visit_operands(node, key, called, found, above)
        self.level -= 1

    def _visit_operands(self, node: Node, key: Key, called: bool, found: Found, above: dict[Nodes, bool]) -> None:
        run = self.run
        index = node // 2
        kind = run.kind[node]
        if node >= 0 and self._is_number_or_key(node):
            (found.called_reads if called else found.reads).add(index - 1)  # it may be a list of pairs all the same
            return
        if node >= 0 and (index in run.reading_calls or node in run.taken):
            (found.called_reads if called else found.reads).add(index)
        elif node >= 0 and node % 2 == 0:
            own = self.keys.get(index)
            if own is not None and run.instructions[index].name not in WRITES:
                if key_may_be(own, key) and self.hooked(index):
                    (found.called_reads if called else found.reads).add(index)
                # What chose the cell (container and key) flows into the value read, but whatever it was, the
                # value itself comes from memory: nothing of it is unknown.
                chosen = Found()
                chosen.visited |= found.visited
                for operand in run.inputs[node]:
                    if operand:
                        self._visit_set(operand, index, key, called, chosen, above)
                found.add(chosen, False)
                if run.instructions[index].name != "LOAD_GLOBAL":
                    found.results.add(index)  # a property's, an item's by __getitem__
                return
        if kind == "opaque":
            called = True
        if node < 0:
            if kind == "opaque":
                found.parameters.add(slot_of(node))
        elif HERE.opcodes[run.instructions[index].name].suspends is not Suspends.NEVER:
            found.results.add(index)
            if index in run.given:
                found.called_reads.add(index)  # what C code reads meanwhile shows by an event at the call's own site
        for operand in run.inputs[node]:
            if operand:
                self._visit_set(operand, max(index, 0), key, called, found, above)

    def _is_number_or_key(self, node: Node) -> bool:
        """Whether the value is the first of a pair that enumerate() or items() gave to a loop."""
        run = self.run
        if node % 2 or not run.takes_pair(node // 2 - 1):
            return False
        made_by = self.root(run.inputs[node - 2][0])  # the loop's iterator
        while len(made_by) == 1:
            (maker,) = made_by
            if maker >= 0 and run.instructions[maker // 2].name == "GET_ITER":
                made_by = self.root(run.inputs[maker][0])
                continue
            return maker // 2 in run.pairing_calls
        return False

    def _own_writes(self, root: Nodes, consumer: int, key: Key, called: bool, found: Found) -> None:
        """The writes of this very value that come before `consumer` takes it: their versions flow on with it."""
        made_at = [node // 2 for node in root if node >= 0]
        for write in self.written.get(root, ()):
            if write in made_at and len(root) == 1:
                continue  # what an update writes is made by it, anew each time
            if key_may_be(self.keys[write], key) and self.path(write, consumer, made_at):
                (found.called_writes if called else found.writes).add(write)
        for write in self.perhaps_written.get(root, ()):
            if key_may_be(self.keys[write], key) and self.path(write, consumer, made_at):
                found.called_writes.add(write)

    def _visit_phi(
        self, nodes: Nodes, consumer: int, key: Key, called: bool, found: Found, above: dict[Nodes, bool]
    ) -> None:
        if not self.marks:
            if (nodes, called) not in found.visited:
                found.visited.add((nodes, called))
                for node in nodes:
                    self._visit_set(frozenset((node,)), consumer, key, called, found, {**above, nodes: False})
                self._own_writes(nodes, consumer, key, called, found)
            return
        parts: dict[Node, Found] = {}
        updates: set[Node] = set()
        for node in nodes:
            below = {**dict.fromkeys(above, False), nodes: False}
            part = Found()
            part.visited.add((nodes, False))
            part.visited.add((nodes, True))
            self._visit_set(frozenset((node,)), consumer, key, False, part, below)
            for outer, met in below.items():
                if met and outer in above:
                    above[outer] = True
            parts[node] = part
            if below[nodes]:
                updates.add(node)
        bases = [node for node in nodes if node not in updates]
        silent = all(not part.anything() for part in parts.values())
        if silent:
            return
        alike = not updates and len({part.sources() for part in parts.values()}) == 1
        # A loop's variable needs no marker if it begins once and only takes up what is never watched (n += 1). What
        # it takes up from memory may be of another cell each time: the newest event of a site would not tell.
        once = (
            len(bases) == 1
            and (bases[0] < 0 or not self.in_cycle(bases[0] // 2))
            and not any(parts[node].anything() for node in updates)
        )
        if (alike or once) and not any(self._stale(node, part, consumer) for node, part in parts.items()):
            for part in parts.values():
                found.add(part, called)
            self._own_writes(nodes, consumer, key, called, found)
            return
        phi = self._phi(nodes, key)  # whose markers tell of own writes too
        (found.called_phis if called else found.phis).add(phi)

    def _stale(self, node: Node, part: Found, consumer: int) -> bool:
        """Whether a read may have been made again since its value was assigned: its newest event is not the one."""
        if node < 0:
            return False
        made_at = (node // 2,)
        return any(self.path(read, consumer, made_at) for read in part.reads | part.called_reads if read != node // 2)

    def _phi(self, nodes: Nodes, key: Key) -> int:
        """The variable's number; makes the markers after its definitions if it is new."""
        name = (nodes, repr(key))
        if name in self.phi_ids:
            return self.phi_ids[name]
        phi = self.phi_ids[name] = len(self.phi_ids)
        for node in nodes:
            found = Found()
            if node < 0:
                if self.run.kind[node] == "opaque":
                    found.parameters.add(slot_of(node))
                after = -1
            else:
                after = node // 2
                self._visit_definition(node, nodes, phi, key, found)
            known = self.definitions.get((after, phi))
            sources = found.sources()
            if known is not None and known.sources != sources:
                sources = union(known.sources, sources)
            self.definitions[after, phi] = Definition(after, phi, sources)
        # A write of the variable's own value: its version is from then on a source of the variable.
        for write, value in self.write_roots.items():
            of_variable = value == nodes or self._loaded(self.run.stored[write]) <= nodes
            if of_variable and key_may_be(self.keys[write], key):
                sources = EMPTY._replace(writes=frozenset((write,)), phis=frozenset((phi,)))
                self.definitions[write, phi] = Definition(write, phi, sources)
        return phi

    def _loaded(self, nodes: Nodes) -> Nodes:
        """What a plain load of a local put on the stack came from; the nodes themselves if it was something else."""
        if len(nodes) == 1:
            (node,) = nodes
            if node >= 0 and self.run.kind[node] == "copy" and "LOAD" in self.run.instructions[node // 2].name:
                return self.run.inputs[node][0]
        return nodes

    def _visit_definition(self, node: Node, nodes: Nodes, phi: int, key: Key, found: Found) -> None:
        above = {nodes: False}
        self._visit_set(frozenset((node,)), node // 2, key, False, found, above)
        if above[nodes]:
            found.phis.add(phi)
