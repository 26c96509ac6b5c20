"""The `sites` file of a spool: what the child says of the code that it wove."""

from __future__ import annotations

import io
import marshal
import pathlib
from typing import Any, BinaryIO

from opcodetrace.errors import SpoolError
from opcodetrace.trace.site import Code, Flow, Site, SourceFile, SwitchPoint


def read_sites(path: pathlib.Path) -> tuple[list[SourceFile], list[Code]]:
    """Read marshal-ed tuples, one after the other; a last one that a killed child left unfinished is ignored."""
    files: list[SourceFile] = []
    codes: list[Code] = []
    try:
        stream = io.BytesIO(path.read_bytes())
        while (entry := _next_entry(stream)) is not None:
            match entry:
                case ("file", *fields):
                    files.append(SourceFile(*fields))
                case ("code", *fields):
                    codes.append(_code(fields))
                case _:
                    raise SpoolError(f"cannot read {path}: {str(entry)[:60]!r} is no file and no code")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise SpoolError(f"cannot read {path}: {error.strerror}") from error
    except TypeError as error:
        raise SpoolError(f"cannot read {path}: {error}; it was written by another version of opcodetrace") from error
    return files, codes


def _next_entry(stream: BinaryIO) -> Any:
    try:
        return marshal.load(stream)
    except (EOFError, ValueError, TypeError):
        return None


def _code(fields: list[Any]) -> Code:
    code = Code(*fields)
    return code._replace(
        sites=tuple(map(_site, code.sites)),
        switch_points=tuple(map(SwitchPoint._make, code.switch_points)),
    )


def _site(fields: tuple[Any, ...]) -> Site:
    site = Site._make(fields)
    return site if site.flow is None else site._replace(flow=Flow._make(site.flow))
