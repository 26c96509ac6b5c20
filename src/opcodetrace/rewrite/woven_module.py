"""A woven module by itself: numbered from 0, so that it can be kept, and shifted to the numbers of any run."""

import struct
from collections.abc import Mapping
from types import CodeType, MappingProxyType
from typing import NamedTuple

from opcodetrace.rewrite.weave import Weaver
from opcodetrace.spool import messages
from opcodetrace.spool.messages import Message
from opcodetrace.trace.hook import Part, Probe
from opcodetrace.trace.site import Code
from opcodetrace.trace.sync import Act

NONE: Mapping[str, Act] = MappingProxyType({})


class Counts(NamedTuple):
    """How many numbers of each kind the module takes."""

    codes: int = 0
    sites: int = 0
    phis: int = 0


class WovenModule(NamedTuple):
    """`code` has never run, and is not to run before `shift`. `description` is for the collector
    (`spool.messages`); None if the code is only described.
    """

    code: CodeType
    counts: Counts
    description: bytes | None


def weave(
    code: CodeType,
    source: bytes,
    probe: Probe,
    *,
    calls: bool = False,
    operations: Mapping[str, Act] = NONE,
    only: tuple[str, ...] = (),
) -> WovenModule:
    """Weaves a module and all that is in it; what cannot be woven stays as it is, and is described as such. `calls`,
    `operations` and `only` are as for `Weaver`."""
    sent: list[Message] = []
    weaver = Weaver(sent.append, probe, calls=calls, operations=operations, only=only)
    woven = weaver.weave_module(code, "", "", source)
    codes = (message for message in sent if isinstance(message, Code))
    return WovenModule(woven, Counts(*weaver.taken()), messages.describe(source, codes))


def describe(code: CodeType, operations: Mapping[str, Act], probe: Probe) -> WovenModule:
    """Library code as `Weaver.describe` gives it."""
    return WovenModule(Weaver(lambda entry: None, probe).describe(code, operations), Counts(), None)


def shift(woven: WovenModule, first: Counts, probe: Probe) -> CodeType:
    """The code, ready to run: its numbers begin at `first`. Once only."""
    probe.renumber(woven.code, first.sites, first.codes)
    return woven.code


def take_apart(code: CodeType, probe: Probe) -> tuple[CodeType, tuple[Part | None, ...]]:
    """The code with None for each object of the probe's, so that it can be marshalled, and those objects."""
    parts: list[Part | None] = []
    return _take_apart(code, probe, parts), tuple(parts)


def _take_apart(code: CodeType, probe: Probe, parts: list[Part | None]) -> CodeType:
    constants: list[object] = [
        _take_apart(constant, probe, parts) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    ]
    if constants and isinstance(constants[-1], probe.Code):
        anchor = constants[-1]
        start = len(constants) - 1
        while start and isinstance(constants[start - 1], probe.Hook):
            start -= 1
        hooks: list[object] = constants[start:-1]
        parts.append(
            (
                start,
                struct.pack(f"<{len(hooks)}I", *(hook.site for hook in hooks)),  # type: ignore[attr-defined]
                bytes(hook.action for hook in hooks),  # type: ignore[attr-defined]
                tuple(hook.name for hook in hooks),  # type: ignore[attr-defined]
                anchor.code_id,  # type: ignore[attr-defined]
                anchor.table,  # type: ignore[attr-defined]
                anchor.first_site,  # type: ignore[attr-defined]
            )
        )
        constants[start:] = [None] * (len(hooks) + 1)
    else:
        parts.append(None)
    bare = code.replace(co_consts=tuple(constants))
    probe.fix_kinds(code, bare)
    return bare
