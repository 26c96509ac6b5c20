"""The native probe: hooks that woven code stores to, and the records that they write into the window.

Everything here is for the process of the traced program. The records' layout is `opcodetrace.spool.layout`; what the
weaver must put where is in docs/hook-protocol.md.
"""

from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any, Final, final

from opcodetrace.trace.hook import Part

# What a store to a hook does, in the order of the table in docs/hook-protocol.md.
ITEM_BEGIN: Final[int]
SLICE_BOUNDS: Final[int]
SLICE_BEGIN: Final[int]
ATTR_BEGIN: Final[int]
READ_END: Final[int]
ITEM_READ: Final[int]
ATTR_READ: Final[int]
ITEM_TARGET: Final[int]
ITEM_VALUE: Final[int]
ITEM_STORE: Final[int]
SLICE_STORE: Final[int]
ITEM_DELETE: Final[int]
ATTR_STORE: Final[int]
ATTR_DELETE: Final[int]
WRITE_END: Final[int]
GLOBAL_READ: Final[int]
GLOBAL_STORE: Final[int]
GLOBAL_DELETE: Final[int]
NAME_READ: Final[int]
NAME_STORE: Final[int]
NAME_DELETE: Final[int]
CELL_READ: Final[int]
CELL_STORE: Final[int]
CELL_DELETE: Final[int]
HAS_BEGIN: Final[int]
WHOLE_READ: Final[int]
SYNC_BEGIN: Final[int]
SYNC_END: Final[int]
COMPUTE: Final[int]
ENTER: Final[int]
DEFINE: Final[int]
CALLED: Final[int]
APPEND_BEGIN: Final[int]
APPEND: Final[int]
WHOLE_CALL: Final[int]
NEXT: Final[int]
FAILED: Final[int]
ITEM_FAILED: Final[int]
ATTR_FAILED: Final[int]
GLOBAL_FAILED: Final[int]
NAME_FAILED: Final[int]
CELL_FAILED: Final[int]
NEXT_FAILED: Final[int]

@final
class Hook:
    """What woven code stores to: `hook[key] = value` emits a record, or notes the beginning of an access.

    Immortal, and it keeps `name` alive. `name` is the attribute's name (which those actions need), or the constant key
    of ITEM_READ and ITEM_STORE.
    """

    def __new__(cls, site: int, action: int, name: object = None) -> Hook: ...
    @property
    def site(self) -> int: ...
    @property
    def action(self) -> int: ...
    @property
    def name(self) -> Any: ...
    def __setitem__(self, key: object, value: object, /) -> None: ...
    def __delitem__(self, key: object, /) -> None: ...
    def __reduce__(self) -> tuple[Callable[[int, int, int, object], Hook], tuple[int, int, int, object]]: ...

@final
class Code:
    """The last constant of a woven code object: its number, and where it calls.

    `table` is packed `<IHHI`, sorted: the instruction's index in code units, the depth of the value stack before it,
    its oparg, its site counted from `first_site`. For CALL and CALL_KW (3.11: PRECALL too), BEFORE_WITH and
    CALL_FUNCTION_EX. Immortal.
    """

    def __new__(cls, code_id: int, table: bytes, first_site: int = 0xFFFFFFFF) -> Code: ...
    @property
    def first_site(self) -> int: ...
    @property
    def code_id(self) -> int: ...
    @property
    def table(self) -> bytes: ...
    def __reduce__(self) -> tuple[Callable[[int, int, bytes, int], Code], tuple[int, int, bytes, int]]: ...

def attach(window_path: str, /) -> None:
    """Maps the window; the calling thread becomes thread 0. Nothing is recorded until `start`.

    OSError if it cannot be mapped, ValueError if it is no window, RuntimeError if one is attached already.
    """

def attached() -> bool:
    """Whether a window is attached: somebody records this process."""

def detach() -> None:
    """Ends the run and unmaps the window, if there is one; another may be attached then. Hooks of the run do nothing
    from now on, whoever still comes to them. One thread at a time may attach and detach."""

def adopt(code: CodeType, /) -> None:
    """Makes the hooks of woven code, and of the code nested in it, hooks of the run that is attached, or the next.

    A new hook belongs to it already. TypeError if it is no code.
    """

def populate() -> None:
    """Brings what is attached into memory: code, tables, the window's beginning. It takes some milliseconds, and then
    no page fault holds up a thread the first time that it comes to a hook."""

def start() -> None:
    """Turns recording on. After the window was full it stays off."""

def stop() -> None:
    """Turns recording off; hooks do nothing then."""

def intercepted() -> list[tuple[str, str]]:
    """The C functions that are seen while recording is on: (type or module, name)."""

def recorded() -> int:
    """The next record's seq: how many were written so far."""

def fix_kinds(original: CodeType, woven: CodeType, /) -> None:
    """Gives the variables of `woven` the kinds that they have in `original`: 3.14's `code.replace` loses some.

    ValueError if the two have not the same variables.
    """

def weave_executed(
    wanted: Callable[[CodeType | str | bytes, dict[str, Any]], Any],
    weave: Callable[[CodeType, CodeType | str | bytes, Any], CodeType],
    /,
) -> None:
    """From now on the builtin `exec` and `eval` ask what to run, once in a process and while recording is on.

    `wanted(executed, globals)` gives None for what is to run as it is; else `weave(code, executed, what wanted gave)`
    gives the code to run in place of it. Both run unseen; if one raises an Exception the code runs as it is. Woven
    code is not asked about. RuntimeError if the two are not CPython's own functions.
    """

def freeze(gc: ModuleType, /) -> None:
    """`gc.freeze()`; the program need not have imported the module.

    `gc.get_freeze_count()` does not count what was frozen so, until `gc.unfreeze()`.

    RuntimeError if these are not CPython's own functions.
    """

def furnish(code: CodeType, parts: tuple[Part | None, ...], first_site: int, first_code: int, /) -> None:
    """Puts hooks and `Code`s where code fresh from `marshal` has None as its last constants, in place.

    `parts` are of each code object, those in it first, or None if it has none. ValueError or TypeError if they do
    not fit; the code must not be run then.
    """

def renumber(code: CodeType, first_site: int, first_code: int, /) -> None:
    """Adds to the numbers of all sites and code objects of woven code that never ran, in place."""

def unpickle_hook(stamp: int, site: int, action: int, name: object, /) -> Hook:
    """What a pickled Hook is loaded by; one that another process pickled records nothing: its numbers are not ours."""

def unpickle_code(stamp: int, code_id: int, table: bytes, first_site: int, /) -> Code:
    """What a pickled Code is loaded by; one that another process pickled is of no code object of ours."""

def run_main(code: CodeType, globals: dict[str, Any], /) -> object:
    """Runs the main module as the interpreter would: with no frame below it, and the whole recursion limit.

    0, or 1 after an exception, which is printed as by the interpreter; after SystemExit its code, by which the caller
    is to exit. After a KeyboardInterrupt the process will die of SIGINT when it ends, as Python does.
    """

def run_callable(function: Callable[..., object], /, *args: object) -> object:
    """As `run_main`, for a function (`runpy._run_module_as_main`)."""

def ended_by() -> str | None:
    """The exception that ended what `run_main` or `run_callable` ran last: its type, and its text if no code of the
    program's need run for that. None if it was SystemExit, or there was none."""
