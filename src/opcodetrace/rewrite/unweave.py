"""The law of the weaver: take the hooks out again, and the original is left.

Hooks are found by their grammar alone, not by what the weaver remembers:
`[COPY n] LOAD_CONST <hook> {COPY n | load of a local or cell} STORE_SUBSCR`. So are traps, the handlers of ours that
come last: a hook and `RERAISE 1`. Taken out, they leave each instruction the handler that it had.
"""

from types import CodeType

from opcodetrace.rewrite.decode import Decoded, Handler, Instruction, decode
from opcodetrace.trace.hook import OF_TRAPS, Probe

_LOADS = frozenset({"COPY", "LOAD_FAST", "LOAD_CLOSURE"})
_SAME = [
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_nlocals",
    "co_flags",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_filename",
    "co_name",
    "co_qualname",
    "co_firstlineno",
]


class UnweaveError(Exception):
    """The woven code is not the original with hooks in it."""


def check(original: CodeType, woven: CodeType, probe: Probe, before: Decoded | None = None) -> None:
    """Raises UnweaveError if taking the hooks out of `woven` does not leave `original`.

    `before` is the original's instructions, if they are at hand."""
    for name in _SAME:
        if getattr(original, name) != getattr(woven, name):
            raise UnweaveError(f"{name} differs")
    if woven.co_stacksize < original.co_stacksize:
        raise UnweaveError("co_stacksize shrank")
    _check_constants(original, woven, probe)
    before = decode(original) if before is None else before
    after = decode(woven)
    kept, owner, traps = _without_hooks(woven, after, probe)
    if len(kept) != len(before.instructions):
        raise UnweaveError(f"{len(before.instructions)} instructions became {len(kept)}")
    for old, new in zip(before.instructions, kept, strict=True):
        _check_instruction(old, new, owner)
    _check_handlers(before, after, owner, traps)


def _check_constants(original: CodeType, woven: CodeType, probe: Probe) -> None:
    count = len(original.co_consts)
    for old, new in zip(original.co_consts, woven.co_consts, strict=False):
        if new is not old and not _is_same_constant(old, new):
            raise UnweaveError("a constant differs")
    for added in woven.co_consts[count:]:
        if not isinstance(added, (probe.Hook, probe.Code)):
            raise UnweaveError("a constant was added that is no hook")


def _is_same_constant(old: object, new: object) -> bool:
    """Nested code was woven and checked before; builds without the GIL intern equal constants anew."""
    if type(old) is not type(new):
        return False
    if isinstance(old, CodeType) and isinstance(new, CodeType):
        return old.co_qualname == new.co_qualname
    return old == new if isinstance(old, frozenset) else repr(old) == repr(new)


def _without_hooks(
    woven: CodeType, decoded: Decoded, probe: Probe
) -> tuple[list[Instruction], list[int], dict[int, int]]:
    """The instructions that are left; for each woven instruction the number of an original one; and the traps: where
    each begins, and its last instruction.

    The number is that of the one that it is, or if it is a hook's, of the one that it belongs to or that comes next."""
    instructions = decoded.instructions
    is_hook = [False] * len(instructions)
    handlers = {h.target for h in decoded.handlers}
    traps: dict[int, int] = {}
    for i, instruction in enumerate(instructions):
        if instruction.name != "LOAD_CONST" or not isinstance(woven.co_consts[instruction.arg], probe.Hook):
            continue
        last = i + 1
        while last < len(instructions) and instructions[last].name in _LOADS:
            last += 1
        if last >= len(instructions) or instructions[last].name != "STORE_SUBSCR":
            raise UnweaveError("a hook without its store")
        # The store takes three values: the hook, and two more that the hook itself must have pushed.
        operands = last - i - 1
        start = i if operands == 2 else i - 1
        if operands not in (1, 2) or instructions[start].name not in ("COPY", "LOAD_CONST"):
            raise UnweaveError("a hook does not push its own operands")
        if woven.co_consts[instruction.arg].action in OF_TRAPS:
            last += 1
            if start not in handlers or last >= len(instructions) or instructions[last][1:4:2] != ("RERAISE", 1):
                raise UnweaveError("a trap does not raise again what it caught")
            traps[start] = last
        for j in range(start, last + 1):
            is_hook[j] = True
    kept: list[Instruction] = []
    owner: list[int] = []
    for instruction, inserted in zip(instructions, is_hook, strict=True):
        owner.append(len(kept))
        if not inserted:
            kept.append(instruction)
    owner.append(len(kept))
    if any(owner[start] != len(kept) for start in traps):
        raise UnweaveError("a trap does not come last")
    return kept, owner, traps


def _check_instruction(old: Instruction, new: Instruction, owner: list[int]) -> None:
    if old.name != new.name or old.position != new.position:
        raise UnweaveError(f"instruction {old.ordinal} ({old.name}) differs")
    if old.target is None:
        if old.arg != new.arg or old.stop - old.start != new.stop - new.start:
            raise UnweaveError(f"the argument of instruction {old.ordinal} ({old.name}) differs")
    elif new.target is None or owner[new.target] != old.target:
        raise UnweaveError(f"the jump at instruction {old.ordinal} goes elsewhere")


def _check_handlers(before: Decoded, after: Decoded, owner: list[int], traps: dict[int, int]) -> None:
    """That every instruction has the handler that it had; one with a trap by way of that. Hooks cannot raise."""
    original = _handlers(before)
    woven = _handlers(after)
    trapped: set[int] = set()
    for i, handler in enumerate(woven):
        if owner[i + 1] == owner[i]:
            continue
        trap = None
        if handler is not None and handler.target in traps:
            trap = handler
            if trap.target in trapped or not trap.lasti:
                raise UnweaveError("a trap is not that of one instruction")
            trapped.add(trap.target)
            handler = woven[handler.target]
            if any(woven[j] != handler for j in range(trap.target, traps[trap.target] + 1)):
                raise UnweaveError("a trap has more than one handler")
        own = original[owner[i]]
        found = None if handler is None else (owner[handler.target], handler.depth, handler.lasti)
        if found != (None if own is None else (own.target, own.depth, own.lasti)):
            raise UnweaveError(f"the handler of instruction {owner[i]} differs")
        if trap is not None and own is not None and trap.depth < own.depth:
            raise UnweaveError("a trap drops what the handler round it needs")


def _handlers(decoded: Decoded) -> list[Handler | None]:
    """Of each instruction."""
    found: list[Handler | None] = [None] * len(decoded.instructions)
    for handler in reversed(decoded.handlers):
        found[handler.start : handler.stop] = [handler] * (handler.stop - handler.start)
    return found
