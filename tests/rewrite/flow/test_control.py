"""Dominators and control dependence, against their definitions tried out on random graphs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcodetrace.rewrite.flow.control import UNREACHED, ControlDependence, Dominators, Graph, Paths, TooMuch

NODES = 9


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    size = draw(st.integers(1, NODES))
    return [draw(st.lists(st.integers(0, size - 1), max_size=3, unique=True)) for _ in range(size)]


def _reachable(graph: Graph, starts: Iterable[int], avoiding: frozenset[int]) -> set[int]:
    """The nodes to which a path from one of `starts` leads whose nodes before the last are none of `avoiding`."""
    seen: set[int] = set()
    pending = list(starts)
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node not in avoiding:
            pending.extend(graph[node])
    return seen


def _reached(graph: Graph) -> set[int]:
    return _reachable(graph, [0], frozenset())


def _passes(graph: Graph, start: int, goal: int, node: int) -> bool:
    """Whether every path from `start` to `goal` passes `node`."""
    return node in (start, goal) or goal not in _reachable(graph, [start], frozenset({node}))


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_dominators(graph: list[list[int]]) -> None:
    found = Dominators(graph, 0)
    reached = _reached(graph)
    assert {node for node in range(len(graph)) if found.reached(node)} == reached
    for node in range(len(graph)):
        for other in range(len(graph)):
            both = node in reached and other in reached
            assert found.dominates(node, other) == (both and _passes(graph, 0, other, node))
        if node not in reached:
            assert found.immediate[node] == UNREACHED
        elif node:
            nearest = found.immediate[node]
            assert nearest != node
            assert all(
                found.dominates(each, nearest) for each in reached if found.dominates(each, node) and each != node
            )


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_control_dependence(graph: list[list[int]]) -> None:
    found = ControlDependence(graph)
    reached = _reached(graph)
    end = len(graph)
    ending = _ends_everywhere(graph)

    def must(node: int, start: int) -> bool:
        """Whether control that stands at `start` executes `node`, there or afterwards."""
        return node == start or end not in _reachable(ending, [start], frozenset({node}))

    for node in reached:
        wanted = {
            (branch, successor)
            for branch in reached
            if len(set(graph[branch])) > 1
            for successor in graph[branch]
            if must(node, successor) and (branch == node or not must(node, branch))
        }
        assert found.directly(node) == wanted
        under, pending = set(wanted), [branch for branch, _ in wanted]
        while pending:
            more = found.directly(pending.pop()) - under
            under |= more
            pending += [branch for branch, _ in more]
        assert found.decided_by(node) == under


def _ends_everywhere(graph: Graph) -> list[list[int]]:
    """The graph with a last node, to which all leads that ends, and each backward jump of what never ends."""
    end = len(graph)
    plain = [list(successors) or [end] for successors in graph] + [[]]
    ending = [list(successors) for successors in plain]
    for node in range(end):
        if end not in _reachable(plain, [node], frozenset()) and any(successor <= node for successor in graph[node]):
            ending[node].append(end)
    return ending


@settings(max_examples=150, deadline=None)
@given(graphs(), st.data())
def test_paths(graph: list[list[int]], data: st.DataObject) -> None:
    nodes = st.integers(0, len(graph) - 1)
    handler = data.draw(nodes)
    escapes = data.draw(st.lists(st.sampled_from([UNREACHED, handler]), min_size=len(graph), max_size=len(graph)))
    paths = Paths(graph, escapes, 1_000_000)
    graph = [ways if escape == UNREACHED else [*ways, escape] for ways, escape in zip(graph, escapes, strict=True)]
    avoiding = data.draw(st.frozensets(nodes, max_size=3))
    for start in range(-1, len(graph)):
        begun = [0] if start < 0 else graph[start]
        wanted = _reachable(graph, begun, avoiding)
        assert {goal for goal in range(len(graph)) if paths.leads(start, goal, avoiding)} == wanted


def test_asking_for_paths_ends() -> None:
    graph = [[node + 1, 0] for node in range(99)] + [[]]
    paths = Paths(graph, [UNREACHED] * len(graph), 1000)
    with pytest.raises(TooMuch):
        for node in range(99):
            paths.leads(node, 0, (98,))


def test_a_chain_of_tests() -> None:
    # if a: (1) if b: (2) x = 1 (3) else: y = 1 (4); z = 1 (5)
    graph = [[1, 5], [2], [3, 4], [5], [5], []]
    found = ControlDependence(graph)
    assert found.directly(3) == {(2, 3)}
    assert found.decided_by(3) == {(2, 3), (0, 1)}
    assert found.decided_by(4) == {(2, 4), (0, 1)}
    assert found.decided_by(5) == frozenset()


def test_a_short_circuit_is_under_each_of_its_tests() -> None:
    # if a (0) and b (1): x (2) else: y (3)
    found = ControlDependence([[1, 3], [2, 3], [], []])
    assert found.directly(3) == {(0, 3), (1, 3)}
    assert found.directly(2) == {(1, 2)}
    assert found.decided_by(2) == {(1, 2), (0, 1)}
