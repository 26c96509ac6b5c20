"""What the weaver says of the code that it wove. The child sends these to the collector."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple


class Operation(StrEnum):
    """Version-neutral name of what an instruction does; arithmetic is named `BINARY_` + the operator's name."""

    LOAD_SUBSCR = "LOAD_SUBSCR"
    STORE_SUBSCR = "STORE_SUBSCR"
    DELETE_SUBSCR = "DELETE_SUBSCR"
    LOAD_SLICE = "LOAD_SLICE"
    STORE_SLICE = "STORE_SLICE"
    LOAD_ATTR = "LOAD_ATTR"
    STORE_ATTR = "STORE_ATTR"
    DELETE_ATTR = "DELETE_ATTR"
    LOAD_GLOBAL = "LOAD_GLOBAL"
    STORE_GLOBAL = "STORE_GLOBAL"
    DELETE_GLOBAL = "DELETE_GLOBAL"
    LOAD_NAME = "LOAD_NAME"
    STORE_NAME = "STORE_NAME"
    DELETE_NAME = "DELETE_NAME"
    LOAD_DEREF = "LOAD_DEREF"
    STORE_DEREF = "STORE_DEREF"
    DELETE_DEREF = "DELETE_DEREF"
    CALL = "CALL"  # of C code that accesses memory
    CONTAINS = "CONTAINS"
    ITERATE = "ITERATE"
    TEST = "TEST"  # of the truth of a value: if items, while items, not items, items and ...
    ENTER = "ENTER"
    DEFINE = "DEFINE"


class Flow(NamedTuple):
    """What flows into a value: site ids of this code object, absolute within the run.

    `reads`/`writes` flow by operations alone (proven); `called_*` pass through a call. `phis` name variables whose
    value depends on the path taken: it is what the last DEFINE site with that `phi` gave them in this activation.
    `writes` are writes by this activation of a value that flows on into this one. `results` are byte offsets, in the
    original code, of instructions whose result flows in and that may have called Python code: what flows into that
    code's result flows in too. `parameters` are numbers of this function's parameters (in co_varnames): what was given
    to them flows in too. `opaque`: the weaver could not follow the value, all that this activation read may flow in.

    `tested` and `failed` name reads from which nothing flows into the value, but that decided, by a branch, that this
    value is written (or assigned), while the other branch writes one that is made of a read of what may be the same
    location: a conditional update (`if k in d: d[k] += 1 else: d[k] = 1`; `d.get(k)` and a test for None; `d[k] or 0`).
    If nothing by `reads`, `writes` and `phis` is the source of such a write, it is the newest event among them that is
    of the written location and of this activation, unless this lane has written there since: by control,
    hence inferred. For a DEFINE they are looked up when it is passed, and kept with the variable. Of `tested` any read
    counts, one that found nothing or failed too. Of `failed` (an access in a `try` body, if this is written in the
    handler) only one that failed counts: the newest event at that site must be the failed access.
    """

    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    phis: tuple[int, ...] = ()
    called_reads: tuple[int, ...] = ()
    called_writes: tuple[int, ...] = ()
    called_phis: tuple[int, ...] = ()
    opaque: bool = False
    tested: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    results: tuple[int, ...] = ()
    parameters: tuple[int, ...] = ()


class ArgumentFlows(NamedTuple):
    """What flows into the parameters of the Python code that the instruction at `offset` may call."""

    offset: int  # in bytes, in the original code
    callee: str | None  # how the source names what is called
    positional: tuple[Flow, ...]
    keywords: tuple[tuple[str, Flow], ...]
    receiver: Flow  # what is called, and of what it is a method
    others: Flow  # of which it is not known to which parameter


class Signature(NamedTuple):
    """How arguments become parameters."""

    parameters: tuple[str, ...] = ()  # their names, as in co_varnames: *args and **kwargs come last
    positional: int = 0  # how many may be given by position
    takes_more: bool = False  # there is an *args
    resumes: bool = False  # a generator or coroutine: it goes on while its caller does


# What is compared, in a `Test.answer` and an `Asked.answer`
WRITTEN = "written"  # what the access writes
TAKEN = "taken"  # what it subtracts
AT = "at "  # what is read at the offset that follows, in the same code object
STATES = "states"  # what the object has, or the program elsewhere: no constant of this function


# A `Test.answer`: more was asked of what was read than can be told, not whether it is what is written
MORE = "more"
OF_IT = "of it"  # of a call's result, or in another function: more was asked of the very value, or of one made of it
ORDER = "order"  # the same, and it was whether something is less or greater than something else


# An `Answer.result`, and what is asked of a call before an access: the function came back at all, and did not raise
RETURNS = "returns"


def asks_more(answer: str) -> bool:
    return answer in (MORE, OF_IT, ORDER)


class Test(NamedTuple):
    """A read of what may be the location of an access, on which a branch depended that decided that it is made."""

    site: int
    # What the read must have found for that: present, absent, raises, is None, is not None, true, false, or how it
    # compares with a constant, as the source has it: == 0, not < 5, is False, in ("new", State.OPEN). Or with a value:
    # < WRITTEN, >= TAKEN, < AT 46; in STATES.
    # MORE, OF_IT or ORDER if it was something of which more was asked. Empty if it cannot be told.
    answer: str


class Asked(NamedTuple):
    """What the instruction at `offset` gave, and a branch or the function's caller asked for."""

    offset: int  # in bytes, in the original code
    answer: str  # as `Test.answer`
    callee: str  # how a function is named that the instruction may call; "" if it reads only


class Decision(NamedTuple):
    """That what stands at `places` is executed was decided by all that was asked."""

    asked: tuple[Asked, ...]
    places: tuple[int, ...]  # offsets of accesses and calls


class Answer(NamedTuple):
    """What a function's result says of what it had read, or called, last."""

    # true, false, is None, is not None, raises, RETURNS; empty: whatever is asked of the result, is asked of that
    result: str
    asked: Asked


class Site(NamedTuple):
    """One instrumented instruction (or a marker of the weaver's: ENTER, DEFINE)."""

    id: int  # unique within the run, as in the records
    operation: str  # an Operation, or BINARY_ADD, BINARY_SUBTRACT ...
    opcode: str  # the interpreter's own name
    offset: int  # byte offset in the original code
    line: int | None
    end_line: int | None
    column: int | None  # in UTF-8 bytes, from 0, as co_positions gives them
    end_column: int | None
    name: str | None  # of the attribute, global or cell
    flow: Flow | None  # of the value that a write stores or a DEFINE assigns; None elsewhere
    phi: int | None  # DEFINE: the variable (an id unique in the run) that is given `flow`
    computed: str | None  # writes: operation whose result is stored as it is ("BINARY_ADD"), or None
    tests: tuple[Test, ...] = ()  # of an access

    @property
    def span(self) -> tuple[int | None, int | None, int | None, int | None]:
        """Where it lies in its file."""
        return self.line, self.column, self.end_line, self.end_column


class SwitchPoint(NamedTuple):
    """An instruction of woven code at which CPython may suspend the thread: by itself (`preempts`), or inside what the
    instruction calls."""

    woven_offset: int  # byte offset in the woven code, as a SWITCH record names it
    offset: int  # byte offset in the original code
    opcode: str
    line: int | None
    end_line: int | None
    column: int | None
    end_column: int | None
    preempts: bool  # the interpreter itself may take the GIL away here


class Followed(StrEnum):
    """How far values were followed through a code object, to say what flows into its writes."""

    FULL = "full"
    BUDGET = "budget"  # given up for some writes, which would take too long: their sources are inferred
    NONE = "none"  # its stack could not be followed: the sources of all its writes are inferred


class Code(NamedTuple):
    """One code object: woven, or left as it is for the reason given."""

    id: int  # unique within the run, as in SWITCH records
    file: int
    function: str  # qualified name
    first_line: int
    sites: tuple[Site, ...]
    switch_points: tuple[SwitchPoint, ...]
    unwoven: str | None = None  # why this code runs as it is
    flow: str = "full"  # a Followed
    signature: Signature = Signature()
    returned: Flow = Flow()  # into what it returns or yields
    given: tuple[ArgumentFlows, ...] = ()  # to what it calls
    decisions: tuple[Decision, ...] = ()
    answers: tuple[Answer, ...] = ()


def flows_of(codes: Iterable[Code]) -> Iterator[Flow]:
    """All flows but those of sites."""
    for code in codes:
        yield code.returned
        for given in code.given:
            yield from given.positional
            yield from (flow for _, flow in given.keywords)
            yield given.receiver
            yield given.others


class Patterns(NamedTuple):
    """What the user includes and excludes, by the names of modules (trace.module_pattern)."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


# Why a module ran as it is, though a pattern means it; any other reason is a failure to weave it.
EXCLUDED = "excluded"
EARLIER = "imported by Python itself before the recording began"


class LeftModule(NamedTuple):
    """A module that a pattern means, or that was to be woven, and that runs as it is for the reason given."""

    module: str
    reason: str


class Ended(NamedTuple):
    """The program was ended by an exception."""

    exception: str  # KeyError: 'x'


class SourceFile(NamedTuple):
    """A file whose code was woven."""

    id: int
    path: str
    module: str
    source: bytes
