"""What the weaver says to the collector: the one encoder, and the one decoder, of a spool's `sites`.

The file is a row of marshalled tuples, each the name of a message and its fields. The script's process appends to it;
that process loads no more than it must, so nothing but marshal is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from marshal import dumps, loads
from typing import Any, NamedTuple

from opcodetrace.trace.site import (
    ArgumentFlows,
    Code,
    Flow,
    LeftModule,
    Patterns,
    Signature,
    Site,
    SourceFile,
    SwitchPoint,
)


class WovenFile(NamedTuple):
    """A module that is numbered from 0: its first numbers in this run, and its description (`describe`)."""

    file: int
    path: str
    module: str
    first: tuple[int, int, int]  # code object, site and phi
    description: bytes


Message = SourceFile | Code | WovenFile | LeftModule | Patterns
Send = Callable[[Message], None]

_NAMES: dict[type[Message], str] = {
    SourceFile: "file",
    Code: "code",
    WovenFile: "woven",
    LeftModule: "left",
    Patterns: "patterns",
}
_TYPES = {name: made for made, name in _NAMES.items()}


def encode(message: Message) -> bytes:
    """The message as `decode` reads it."""
    data: bytes = dumps((_NAMES[type(message)], *_plain(message)))
    return data


def describe(source: bytes, codes: Iterable[Code]) -> bytes:
    """A module by itself, whose code objects, sites and phis are numbered from 0."""
    data: bytes = dumps((source, tuple(_plain(code) for code in codes)))
    return data


def decode(data: bytes) -> Iterator[Message]:
    """The messages in a file, the last of which a killed child may have left unfinished: it is passed over.

    ValueError if it is damaged, or if there is a message that is not known, or has other fields: another version wrote
    it."""
    from io import BytesIO
    from marshal import load

    stream = BytesIO(data)
    while True:
        try:
            entry = load(stream)
        except EOFError:
            return
        except (ValueError, TypeError, MemoryError) as error:
            raise ValueError(f"it is damaged before byte {stream.tell():,} ({error})") from error
        made = _TYPES.get(entry[0]) if isinstance(entry, tuple) and entry else None
        if made is None:
            raise ValueError(f"{str(entry)[:60]!r} is no message")
        try:
            message = made(*entry[1:])
        except TypeError as error:
            raise ValueError(f"{error}; it was written by another version of opcodetrace") from error
        yield _code(message) if isinstance(message, Code) else message


def described(message: WovenFile) -> tuple[SourceFile, list[Code]]:
    """The file and the code objects of a module, with the numbers that they have in this run."""
    source, codes = loads(message.description)
    file = SourceFile(message.file, message.path, message.module, source)
    return file, [_shifted(_code(Code(*code)), message.file, message.first) for code in codes]


def _plain(value: Any) -> Any:
    """marshal takes tuples and strings, but no subclass of them."""
    if isinstance(value, tuple):
        return tuple([_plain(each) for each in value])
    return str(value) if isinstance(value, str) and type(value) is not str else value


def _code(code: Code) -> Code:
    return code._replace(
        sites=tuple(map(_site, code.sites)),
        switch_points=tuple(map(SwitchPoint._make, code.switch_points)),
        signature=Signature._make(code.signature),
        returned=Flow._make(code.returned),
        given=tuple([_each_flow(ArgumentFlows._make(given), Flow._make) for given in code.given]),
    )


def _site(fields: tuple[Any, ...]) -> Site:
    site = Site._make(fields)
    return site if site.flow is None else site._replace(flow=Flow._make(site.flow))


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
        return Site(site.id + first_site, *site[1:9], flow, phi, site.computed)

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
