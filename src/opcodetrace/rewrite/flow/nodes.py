"""The values that the instructions of one code object make."""

from __future__ import annotations

Node = int  # 2 * index of the instruction + number of the output; below zero: see _parameter, _unbound
Nodes = frozenset[Node]

NOTHING: Nodes = frozenset()


def parameter(slot: int) -> Node:
    return -2 - 2 * slot


def slot_of(node: Node) -> int:
    """Of a parameter."""
    return -1 - node // 2


def unbound(slot: int) -> Node:
    return -1 - 2 * slot
