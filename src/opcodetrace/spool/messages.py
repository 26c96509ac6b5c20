"""What the weaver says to the collector: the one encoder, and the one decoder, of a spool's `sites`.

The file is a row of messages. Each is HEAD (how long its text is, and what follows that), a text: JSON, a list of the
message's name and its fields, and then bytes as they are, for the messages that have such: a source, a description. A
description is made the same way: the text has the code objects, the bytes are the source.

A spool may be anybody's: reading it takes no more than the file has, and `decode` checks each field. The script's
process writes it; that process loads no more than it must, and json is what it reads its options with.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from json import dumps, loads
from struct import Struct
from typing import Any, NamedTuple

from opcodetrace.trace.site import (
    Answer,
    ArgumentFlows,
    Asked,
    Code,
    Decision,
    Ended,
    Flow,
    LeftModule,
    Patterns,
    Signature,
    Site,
    SourceFile,
    SwitchPoint,
    Test,
)

HEAD = Struct("<II")  # bytes of the text, bytes after it
MAX_NUMBER = 1 << 32  # of a site, an offset, a line
LONGEST_ANSWER = 200  # characters: a comparison with short constants


class WovenFile(NamedTuple):
    """A module that is numbered from 0: its first numbers in this run, and its description (`describe`)."""

    file: int
    path: str
    module: str
    first: tuple[int, int, int]  # code object, site and phi
    description: bytes


Message = SourceFile | Code | WovenFile | LeftModule | Patterns | Ended
Send = Callable[[Message], None]

_NAMES: dict[type[Message], str] = {
    SourceFile: "file",
    Code: "code",
    WovenFile: "woven",
    LeftModule: "left",
    Patterns: "patterns",
    Ended: "ended",
}
_BEGINNINGS = [f'["{name}",'.encode("ascii") for name in _NAMES.values()]


def encode(message: Message) -> bytes:
    """The message as `decode` reads it."""
    name = _NAMES[type(message)]
    if isinstance(message, SourceFile | WovenFile):  # the last field is bytes
        return _packed([name, *message[:-1]], message[-1])
    return _packed([name, *message], b"")


def describe(source: bytes, codes: Iterable[Code]) -> bytes:
    """A module by itself, whose code objects, sites and phis are numbered from 0."""
    return _packed(list(codes), source)


def _packed(fields: list[Any], rest: bytes) -> bytes:
    text = dumps(fields, separators=(",", ":")).encode("ascii")
    return HEAD.pack(len(text), len(rest)) + text + rest


def decode(data: bytes) -> Iterator[Message]:
    """The messages in a file, the last of which a killed child may have left unfinished: it is passed over.

    ValueError if it is damaged, or if there is a message that is not known, or has other fields: another version wrote
    it, or nobody of ours did."""
    highest = len(data) + (1 << 20)  # each number that was given has a message that takes some bytes
    start = 0
    while start + HEAD.size <= len(data):
        length, more = HEAD.unpack_from(data, start)
        start += HEAD.size
        if start + length + more > len(data):
            if not _is_unfinished(data[start:], length):
                raise ValueError(f"it is damaged at byte {start - HEAD.size:,}")
            return
        fields = _read(data[start : start + length])
        rest = data[start + length : start + length + more]
        start += length + more
        match fields:
            case ["file", number, path, module]:
                yield SourceFile(_number(number, highest), _text(path), _text(module), rest)
            case ["woven", number, path, module, [code, site, phi]]:
                first = (_number(code, highest), _number(site, highest), _number(phi, highest))
                yield WovenFile(_number(number, highest), _text(path), _text(module), first, rest)
            case ["code", *code] if not rest:
                yield _code(code, highest)
            case ["left", module, reason] if not rest:
                yield LeftModule(_text(module), _text(reason))
            case ["patterns", include, exclude] if not rest:
                yield Patterns(_texts(include), _texts(exclude))
            case ["ended", exception] if not rest:
                yield Ended(_text(exception))
            case _:
                raise ValueError(f"{str(fields)[:60]!r} is no message that this version of opcodetrace knows")


def _is_unfinished(data: bytes, length: int) -> bool:
    """Whether it is the beginning of a message, whose text has that length. If the length itself is damaged, the text
    goes on in another message: in bytes that JSON does not have."""
    text = data[:length]
    if len(text) == length:  # then something is to follow it
        return _list(_read(text))[:1] in (["file"], ["woven"])
    return b"\0" not in text and any(text.startswith(begin[: len(text)]) for begin in _BEGINNINGS)


def described(message: WovenFile) -> tuple[SourceFile, list[Code]]:
    """The file and the code objects of a module, with the numbers that they have in this run. ValueError as above."""
    data = message.description
    if len(data) < HEAD.size or len(data) != HEAD.size + sum(HEAD.unpack_from(data)):
        raise ValueError("a module is described by halves")
    length, _ = HEAD.unpack_from(data)
    file = SourceFile(message.file, message.path, message.module, data[HEAD.size + length :])
    codes = _list(_read(data[HEAD.size : HEAD.size + length]))
    return file, [_shifted(_code(code, len(data)), message.file, message.first) for code in codes]


def _read(text: bytes) -> Any:
    try:
        return loads(text)
    except RecursionError:
        raise ValueError("brackets in brackets") from None


def _number(value: object, most: int = MAX_NUMBER) -> int:
    if type(value) is not int or not 0 <= value < most:
        raise ValueError(f"{str(value)[:60]!r} is no number that can stand there")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise ValueError(f"{str(value)[:60]!r} is no text")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise ValueError(f"{str(value)[:60]!r} is neither true nor false")
    return value


def _list(value: object, length: int | None = None) -> list[Any]:
    if type(value) is not list or (length is not None and len(value) != length):
        raise ValueError(f"{str(value)[:60]!r} has other fields: it was written by another version of opcodetrace")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple([_text(each) for each in _list(value)])


def _numbers(value: object) -> tuple[int, ...]:
    if value == []:
        return ()
    return tuple([_number(each) for each in _list(value)])


def _code(value: object, most: int) -> Code:
    fields = _list(value, len(Code._fields))
    number, file, function, first_line, sites, points, unwoven, flow, signature, returned, given, *decided = fields
    decisions, answers = decided
    known = {_number(site[0], most) if isinstance(site, list) and site else -1 for site in _list(sites)}
    parameters, positional, takes_more, resumes = _list(signature, len(Signature._fields))
    return Code(
        id=_number(number, most),
        file=_number(file, most),
        function=_text(function),
        first_line=_number(first_line),
        sites=_sites(sites, known),
        switch_points=_switch_points(points),
        unwoven=_text_or_none(unwoven),
        flow=_text(flow),
        signature=Signature(_texts(parameters), _number(positional), _flag(takes_more), _flag(resumes)),
        returned=_flow(returned, known),
        given=tuple([_given(each, known) for each in _list(given)]),
        decisions=tuple([_decision(each) for each in _list(decisions)]),
        answers=tuple([Answer(_text(result), _asked(asked)) for result, asked in map(_pair, _list(answers))]),
    )


def _columns(rows: list[Any], width: int) -> list[tuple[Any, ...]]:
    """Lists of one length, turned: there are many, and what is checked column by column is checked fast."""
    for row in rows:
        if type(row) is not list or len(row) != width:
            raise ValueError(f"{str(row)[:60]!r} has other fields: it was written by another version of opcodetrace")
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _all_of(column: tuple[Any, ...], *types: type) -> None:
    if not set(map(type, column)) <= set(types):
        raise ValueError(f"{str(column)[:60]!r} holds what cannot stand there")
    if int in types:
        numbers = [each for each in column if each is not None]
        if numbers and not (min(numbers) >= 0 and max(numbers) < MAX_NUMBER):
            raise ValueError(f"{str(column)[:60]!r} holds a number that cannot stand there")


def _sites(value: object, known: Set[int]) -> tuple[Site, ...]:
    """The sites of a code object; `known` are their numbers."""
    rows = _list(value)
    columns = _columns(rows, len(Site._fields))
    numbers, operations, opcodes, offsets, *place, names, flows, phis, computed, tests = columns
    _all_of(numbers, int)
    _all_of(operations, str)
    _all_of(opcodes, str)
    _all_of(offsets, int)
    for column in (*place, phis):
        _all_of(column, int, type(None))
    for column in (names, computed):
        _all_of(column, str, type(None))
    return tuple(
        [
            Site._make([*row[:9], None if flow is None else _flow(flow, known), *row[10:12], _tests(tested, known)])
            for row, flow, tested in zip(rows, flows, tests, strict=True)
        ]
    )


def _switch_points(value: object) -> tuple[SwitchPoint, ...]:
    rows = _list(value)
    woven_offsets, offsets, opcodes, *place, preempts = _columns(rows, len(SwitchPoint._fields))
    _all_of(woven_offsets, int)
    _all_of(offsets, int)
    _all_of(opcodes, str)
    for column in place:
        _all_of(column, int, type(None))
    _all_of(preempts, bool)
    return tuple(map(SwitchPoint._make, rows))


def _check_known(named: tuple[int, ...], sites: Set[int]) -> None:
    if not sites >= set(named):
        raise ValueError(f"{str(named)[:60]} names an instruction that is not there")


def _tests(value: object, sites: Set[int]) -> tuple[Test, ...]:
    if value == []:
        return ()
    tests = tuple([Test(_number(site), _text(answer)) for site, answer in (_list(each, 2) for each in _list(value))])
    if any(len(test.answer) > LONGEST_ANSWER for test in tests):
        raise ValueError(f"{max(tests, key=lambda test: len(test.answer)).answer[:60]!r} … is what no test found")
    _check_known(tuple([test.site for test in tests]), sites)
    return tests


def _pair(value: object) -> list[Any]:
    return _list(value, 2)


def _asked(value: object) -> Asked:
    offset, answer, callee = _list(value, len(Asked._fields))
    if len(_text(answer)) > LONGEST_ANSWER:
        raise ValueError(f"{answer[:60]!r} … is what no test found")
    return Asked(_number(offset), answer, _text(callee))


def _decision(value: object) -> Decision:
    asked, places = _pair(value)
    return Decision(tuple([_asked(each) for each in _list(asked)]), _numbers(places))


def _flow(value: object, sites: Set[int]) -> Flow:
    """`sites` are those of the code object, which are all that it can mean."""
    if value == _NO_FLOW:
        return Flow()
    reads, writes, phis, called_reads, called_writes, called_phis, opaque, tested, failed, results, parameters = _list(
        value, len(Flow._fields)
    )
    flow = Flow(
        _numbers(reads),
        _numbers(writes),
        _numbers(phis),
        _numbers(called_reads),
        _numbers(called_writes),
        _numbers(called_phis),
        _flag(opaque),
        _numbers(tested),
        _numbers(failed),
        _numbers(results),
        _numbers(parameters),
    )
    for named in (flow.reads, flow.writes, flow.called_reads, flow.called_writes, flow.tested, flow.failed):
        _check_known(named, sites)
    return flow


def _given(value: object, sites: Set[int]) -> ArgumentFlows:
    offset, callee, positional, keywords, receiver, others = _list(value, len(ArgumentFlows._fields))
    named = [_list(each, 2) for each in _list(keywords)]
    return ArgumentFlows(
        _number(offset),
        _text_or_none(callee),
        tuple([_flow(each, sites) for each in _list(positional)]),
        tuple([(_text(name), _flow(flow, sites)) for name, flow in named]),
        _flow(receiver, sites),
        _flow(others, sites),
    )


_NO_FLOW = [list(each) if isinstance(each, tuple) else each for each in Flow()]


def _each_flow(given: ArgumentFlows, change: Callable[[Flow], Flow]) -> ArgumentFlows:
    return given._replace(
        positional=tuple(map(change, given.positional)),
        keywords=tuple([(name, change(flow)) for name, flow in given.keywords]),
        receiver=change(given.receiver),
        others=change(given.others),
    )


def _shifted(code: Code, file: int, first: tuple[int, int, int]) -> Code:
    """A code object of a module that is numbered from 0."""
    first_code, first_site, first_phi = first

    def sites(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([number + first_site for number in numbers])

    def tests(given: tuple[Test, ...]) -> tuple[Test, ...]:
        return tuple([Test(test.site + first_site, test.answer) for test in given])

    def phis(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple([number + first_phi for number in numbers])

    def shifted_flow(flow: Flow) -> Flow:
        return flow._replace(
            reads=sites(flow.reads),
            writes=sites(flow.writes),
            phis=phis(flow.phis),
            called_reads=sites(flow.called_reads),
            called_writes=sites(flow.called_writes),
            called_phis=phis(flow.called_phis),
            tested=sites(flow.tested),
            failed=sites(flow.failed),
        )

    def shifted(site: Site) -> Site:
        flow = None if site.flow is None else shifted_flow(site.flow)
        phi = None if site.phi is None else site.phi + first_phi
        return Site(site.id + first_site, *site[1:9], flow, phi, site.computed, tests(site.tests))

    return code._replace(
        id=code.id + first_code,
        file=file,
        sites=tuple(map(shifted, code.sites)),
        returned=shifted_flow(code.returned),
        given=tuple([_each_flow(given, shifted_flow) for given in code.given]),
    )


def sender(path: str) -> Send:
    """Appends messages to a spool's `sites`; the file is closed each time, so that the script's descriptors stay its
    own. OSError if it cannot be written; nothing of the message is left then."""
    from _thread import allocate_lock
    from posix import O_APPEND, O_CLOEXEC, O_WRONLY, close, fstat, ftruncate, getpid, open, write

    lock = allocate_lock()
    owner = getpid()

    def send(message: Message) -> None:
        if getpid() != owner:
            raise OSError("a forked process is not recorded")
        data = encode(message)
        with lock:
            file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
            try:
                size = fstat(file).st_size
                try:
                    written = write(file, data)
                    while written < len(data):
                        written += write(file, data[written:])
                except OSError as error:
                    ftruncate(file, size)
                    error.filename = path
                    raise
            finally:
                close(file)

    return send
