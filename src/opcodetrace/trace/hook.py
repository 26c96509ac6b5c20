"""What the weaver and the probe agree on: the actions of hooks (docs/hook-protocol.md)."""

from collections.abc import Callable
from enum import IntEnum
from types import CodeType
from typing import Any, Protocol, TypeAlias

# The hooks of one code object: index of the first in co_consts, sites (packed <I), actions (a byte each), names or
# keys; code id, table of calls and site of the first of its `Code`.
Part: TypeAlias = tuple[int, bytes, bytes, tuple[object, ...], int, bytes, int]


class Action(IntEnum):
    """What a store to a hook does; the numbers are those of probe/hook.h."""

    ITEM_BEGIN = 0
    SLICE_BOUNDS = 1
    SLICE_BEGIN = 2
    ATTR_BEGIN = 3
    READ_END = 4
    ITEM_READ = 5
    ATTR_READ = 6
    ITEM_TARGET = 7
    ITEM_VALUE = 8
    ITEM_STORE = 9
    SLICE_STORE = 10
    ITEM_DELETE = 11
    ATTR_STORE = 12
    ATTR_DELETE = 13
    WRITE_END = 14
    GLOBAL_READ = 15
    GLOBAL_STORE = 16
    GLOBAL_DELETE = 17
    NAME_READ = 18
    NAME_STORE = 19
    NAME_DELETE = 20
    CELL_READ = 21
    CELL_STORE = 22
    CELL_DELETE = 23
    HAS_BEGIN = 24
    WHOLE_READ = 25
    SYNC_BEGIN = 26
    SYNC_END = 27
    COMPUTE = 28
    ENTER = 29
    DEFINE = 30
    CALLED = 31
    APPEND_BEGIN = 32
    APPEND = 33
    WHOLE_CALL = 34
    NEXT = 35
    FAILED = 36
    ITEM_FAILED = 37
    ATTR_FAILED = 38
    GLOBAL_FAILED = 39
    NAME_FAILED = 40
    CELL_FAILED = 41
    NEXT_FAILED = 42
    SYNC_AWAIT = 43
    SYNC_AWAITED = 44
    SCHEDULE = 45
    RUN = 46


OF_TRAPS = frozenset(action for action in Action if action.name.endswith("FAILED"))  # `RERAISE 1` follows these hooks


class Probe(Protocol):
    """What the weaver needs of the native probe, `opcodetrace.probe._probe`."""

    @property
    def Hook(self) -> type:
        """Hook(site, action, name or constant key): what woven code stores to."""

    @property
    def Code(self) -> type:
        """Code(code id, table of calls, site of the first): the last constant of a woven code object."""

    def fix_kinds(self, original: CodeType, woven: CodeType, /) -> None:
        """Gives the variables of `woven` the kinds that they have in `original`."""

    def weave_executed(
        self,
        wanted: Callable[[CodeType | str | bytes, dict[str, Any]], Any],
        weave: Callable[[CodeType, CodeType | str | bytes, Any], CodeType],
        /,
    ) -> None:
        """From now on `exec` and `eval` ask what to run."""

    def adopt(self, code: CodeType, /) -> None:
        """Makes the hooks of woven code hooks of the run to come."""

    def furnish(self, code: CodeType, parts: tuple[Part | None, ...], first_site: int, first_code: int, /) -> None:
        """Puts hooks and `Code`s where code fresh from `marshal` has None."""

    def renumber(self, code: CodeType, first_site: int, first_code: int, /) -> None:
        """Adds to the numbers of all sites and code objects of woven code that never ran."""
