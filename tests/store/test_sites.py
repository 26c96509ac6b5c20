"""The `sites` file of a spool."""

from __future__ import annotations

import marshal
import pathlib
from typing import Any

import pytest

from opcodetrace.errors import SpoolError
from opcodetrace.store.sites import read_sites
from opcodetrace.trace.site import Code, Flow, SourceFile, SwitchPoint
from tests.store.window_builder import make_code, make_site

FILE = SourceFile(0, "/home/me/bank.py", "bank", b"counter[0] += 1\n")
POINT = SwitchPoint(24, 10, "RESUME", 1, 1, 0, 0, True)
CODE = make_code(
    make_site(0, "LOAD_SUBSCR", columns=(0, 10)),
    make_site(1, "STORE_SUBSCR", flow=Flow(reads=(0,), opaque=True)),
    points=(POINT,),
)
UNWOVEN = Code(1, 0, "hard", 9, (), (), "too hard")


def plain(value: Any) -> Any:
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def entries() -> list[bytes]:
    codes = [marshal.dumps(("code", *plain(code))) for code in (CODE, UNWOVEN)]
    return [marshal.dumps(("file", *FILE)), *codes]


def test_reads_back_what_the_child_sent(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sites").write_bytes(b"".join(entries()))

    files, codes = read_sites(tmp_path / "sites")

    assert files == [FILE]
    assert codes == [CODE, UNWOVEN]
    assert isinstance(codes[0].sites[1].flow, Flow)
    assert isinstance(codes[0].switch_points[0], SwitchPoint)


def test_a_tuple_cut_off_anywhere_is_ignored(tmp_path: pathlib.Path) -> None:
    first, second, third = entries()
    for length in range(len(third)):
        (tmp_path / "sites").write_bytes(first + second + third[:length])
        assert read_sites(tmp_path / "sites") == ([FILE], [CODE])


def test_no_file_is_no_sites(tmp_path: pathlib.Path) -> None:
    assert read_sites(tmp_path / "sites") == ([], [])


@pytest.mark.parametrize("entry", [("thread", 1), 7, ("file", 1)])
def test_what_is_no_site_is_named(tmp_path: pathlib.Path, entry: Any) -> None:
    (tmp_path / "sites").write_bytes(marshal.dumps(entry))
    with pytest.raises(SpoolError, match="sites"):
        read_sites(tmp_path / "sites")
