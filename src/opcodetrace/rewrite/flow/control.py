"""Control flow of one code object: dominators, and what a branch decides.

Nodes are numbers from 0, here indexes of instructions; a graph is a list of the successors of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Graph = Sequence[Sequence[int]]
Edge = tuple[int, int]  # a branch, and the successor to which control went

UNREACHED = -1


def immediate_dominators(graph: Graph, root: int) -> list[int]:
    """For each node the last other one that every path from `root` to it passes: `root`'s own is itself, and UNREACHED
    that of a node to which no path leads.

    Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm, 2001.
    """
    order = _postorder(graph, root)
    number = [UNREACHED] * len(graph)
    for place, node in enumerate(order):
        number[node] = place
    predecessors: list[list[int]] = [[] for _ in graph]
    for node in order:
        for successor in graph[node]:
            predecessors[successor].append(node)
    dominator = [UNREACHED] * len(graph)
    dominator[root] = root
    changed = True
    while changed:
        changed = False
        for node in reversed(order):
            if node == root:
                continue
            found = UNREACHED
            for other in predecessors[node]:
                if dominator[other] == UNREACHED:
                    continue
                if found == UNREACHED:
                    found = other
                    continue
                while found != other:
                    while number[found] < number[other]:
                        found = dominator[found]
                    while number[other] < number[found]:
                        other = dominator[other]
            if dominator[node] != found:
                dominator[node] = found
                changed = True
    return dominator


def _postorder(graph: Graph, root: int) -> list[int]:
    order: list[int] = []
    seen = [False] * len(graph)
    seen[root] = True
    pending = [(root, iter(graph[root]))]
    while pending:
        node, successors = pending[-1]
        for successor in successors:
            if not seen[successor]:
                seen[successor] = True
                pending.append((successor, iter(graph[successor])))
                break
        else:
            order.append(node)
            pending.pop()
    return order


class Dominators:
    """Which nodes lie on every path from `root` to a node."""

    def __init__(self, graph: Graph, root: int) -> None:
        self.immediate = immediate_dominators(graph, root)
        children: list[list[int]] = [[] for _ in graph]
        for node, dominator in enumerate(self.immediate):
            if dominator != UNREACHED and node != root:
                children[dominator].append(node)
        # Of each node its place in a walk of the tree of dominators, and the last place among those below it.
        self._first = [UNREACHED] * len(graph)
        self._last = [UNREACHED] * len(graph)
        place = 0
        pending = [(root, iter(children[root]))]
        self._first[root] = place
        while pending:
            node, below = pending[-1]
            for child in below:
                place += 1
                self._first[child] = place
                pending.append((child, iter(children[child])))
                break
            else:
                self._last[node] = place
                pending.pop()

    def reached(self, node: int) -> bool:
        return self._first[node] != UNREACHED

    def dominates(self, one: int, other: int) -> bool:
        """Whether every path to `other` passes `one`; a node dominates itself, and none an unreached one."""
        return self.reached(one) and self._first[one] <= self._first[other] <= self._last[one]


class ControlDependence:
    """Which branches decide that a node is executed.

    A node depends on the edge from a branch to a successor if it must be executed once control has gone there, and need
    not be as long as control stands at the branch (Ferrante, Ottenstein, Warren, The Program Dependence Graph, 1987).
    Post-dominators see a loop that never ends as if it could be left by each of its backward jumps.
    """

    def __init__(self, graph: Graph) -> None:
        """`graph`: nodes that 0 does not reach are left out."""
        self._graph = graph
        reached = set(_postorder(graph, 0))
        self._branches = [node for node in sorted(reached) if len(set(graph[node])) > 1]
        end = len(graph)
        backward: list[list[int]] = [[] for _ in range(end + 1)]
        for node in reached:
            for successor in graph[node]:
                backward[successor].append(node)
            if not graph[node]:
                backward[end].append(node)
        ending = set(_postorder(backward, end))
        for node in reached - ending:
            if any(successor <= node for successor in graph[node]):
                backward[end].append(node)
        self._after = Dominators(backward, end)
        self._direct: dict[int, frozenset[Edge]] = {}

    def directly(self, node: int) -> frozenset[Edge]:
        """The edges that the node depends on."""
        found = self._direct.get(node)
        if found is None:
            after = self._after
            found = self._direct[node] = frozenset(
                (branch, successor)
                for branch in self._branches
                if branch == node or not after.dominates(node, branch)
                for successor in self._graph[branch]
                if after.dominates(node, successor)
            )
        return found

    def decided_by(self, node: int) -> frozenset[Edge]:
        """Those, and the edges that their branches depend on in turn: all the tests that the node is under."""
        found: set[Edge] = set()
        pending: list[int] = [node]
        seen = {node}
        while pending:
            for edge in self.directly(pending.pop()):
                found.add(edge)
                if edge[0] not in seen:
                    seen.add(edge[0])
                    pending.append(edge[0])
        return frozenset(found)


class TooMuch(Exception):
    """The search for an answer is given up: it would take too long."""


class Paths:
    """Asks for paths that avoid some nodes. What runs in a row is looked at as one."""

    def __init__(self, graph: Graph, escapes: Sequence[int], budget: int) -> None:
        """`escapes`: for each node one more successor, UNREACHED if it has none; they tear no row apart. `budget`: how
        many rows all questions together may pass."""
        self._graph = graph
        self._escapes = escapes
        self._left = budget
        count = len(graph)
        entries = [0] * count
        for successors in graph:
            for successor in successors:
                entries[successor] += 1
        for escape in escapes:
            if escape != UNREACHED:
                entries[escape] = 2
        begins = [True] * count
        for node, successors in enumerate(graph):
            if len(successors) == 1 and entries[successors[0]] == 1 and escapes[successors[0]] == escapes[node]:
                begins[successors[0]] = False
        if count:
            begins[0] = True
        self._row = [UNREACHED] * count
        self._place = [0] * count
        self._next: list[Sequence[int]] = []  # of each row, the nodes after its last
        for node in range(count):
            if begins[node]:
                self._walk(node, begins)
        for node in range(count):  # what no path from a beginning leads to: a circle of single ways
            if self._row[node] == UNREACHED:
                begins[node] = True
                self._walk(node, begins)
        self._known: dict[tuple[int, frozenset[int]], set[int]] = {}

    def _walk(self, node: int, begins: list[bool]) -> None:
        place = 0
        while True:
            self._row[node] = len(self._next)
            self._place[node] = place
            successors = self._graph[node]
            if len(successors) != 1 or begins[successors[0]]:
                self._next.append(successors)
                return
            node = successors[0]
            place += 1

    def leads(self, start: int, goal: int, avoiding: Iterable[int]) -> bool:
        """Whether control can go from after `start` (-1: from before 0) to `goal` without executing any of `avoiding`;
        the goal itself is not executed.

        Raises TooMuch beyond the budget."""
        avoided = frozenset(avoiding)
        row, place = self._row, self._place
        first: dict[int, int] = {}  # of a row, the place at which control may go no further
        for node in avoided:
            first[row[node]] = min(place[node], first.get(row[node], place[node]))
        begun = row[start] if start >= 0 else UNREACHED
        if (
            begun == row[goal]
            and place[start] < place[goal]
            and not any(row[node] == begun and place[start] < place[node] < place[goal] for node in avoided)
        ):
            return True
        if first.get(row[goal], place[goal]) < place[goal]:
            return False  # it can only be reached from the row's beginning
        entered = self._known.get((start, avoided))
        if entered is None:
            if start < 0:
                pending = [0]
            else:
                pending = [self._escapes[start]]
                if not any(row[node] == begun and place[node] > place[start] for node in avoided):
                    pending += self._next[begun]
            entered = set()
            while pending:
                node = pending.pop()
                if node == UNREACHED or row[node] in entered:
                    continue
                entered.add(row[node])
                stop = first.get(row[node])
                if stop is None:
                    pending += self._next[row[node]]
                if stop != 0:
                    pending.append(self._escapes[node])
            self._left -= len(entered)
            if self._left < 0:
                raise TooMuch
            self._known[start, avoided] = entered
        return row[goal] in entered
