"""Questions that code which is not woven answers by a method of a class: `get` and `in` of a Mapping ask its own
`__getitem__`, which raises KeyError if nothing is there (Lib/_collections_abc.py); `hasattr` asks `__getattr__`."""

from __future__ import annotations

import ast

from opcodetrace.analyse.made_of import Function
from opcodetrace.analyse.syntax import Syntax, Tree
from opcodetrace.trace.site import Code

_MAPPINGS = frozenset(["Mapping", "MutableMapping"])
_NEUTRAL = frozenset(["Generic", "ABC", "object"])  # bases that have none of these methods
_MOST_BASES = 8  # of classes, one after the other

# By the function, and what was found by it: what the lookup in the method did.
_DID = {
    "__contains__": {"present": "present", "absent": "raises"},
    "get": {"is None": "raises"},
    "hasattr": {"present": "present", "absent": "raises"},
}
_ASKED = {"hasattr": "__getattr__"}  # else `__getitem__`


class MixedIn:
    """The classes of a trace that have them."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._known: dict[tuple[int, str], bool] = {}

    def asked(self, code: Code, callee: str, answer: str) -> str | None:
        """What the lookup by which a method may raise did, if a function of that name found what is said. None if that
        is not known: the function is the class's own, say."""
        owner, _, name = code.function.rpartition(".")
        did = _DID.get(callee, {}).get(answer)
        if did is None or name != _ASKED.get(callee, "__getitem__"):
            return None
        if callee in _ASKED:
            return did
        key = code.id, callee
        if key not in self._known:
            self._known[key] = _has(self._syntax.tree(code.file), owner.rpartition(".")[2], callee)
        return did if self._known[key] else None


def _has(tree: Tree, name: str, method: str) -> bool:
    """Whether a class, by what its module says of it, has a method from Mapping."""
    for _ in range(_MOST_BASES):
        found = tree.classes.get(name)
        if found is None or any(isinstance(each, Function) and each.name == method for each in found.body):
            return False
        bases = [_name(each) for each in found.bases]
        others = [each for each in bases if each not in _MAPPINGS | _NEUTRAL]
        if not _MAPPINGS.isdisjoint(bases) or len(others) != 1:
            return not _MAPPINGS.isdisjoint(bases) and not others
        name = others[0]
    return False


def _name(base: ast.expr) -> str:
    """Of `MutableMapping`, `abc.MutableMapping` and `MutableMapping[str, int]`."""
    match base:
        case ast.Subscript(value=generic):
            return _name(generic)
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
    return ""
