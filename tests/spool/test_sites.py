"""The `sites` file of a spool."""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcodetrace.errors import SpoolError
from opcodetrace.spool.messages import HEAD, WovenFile, decode, describe, described, encode
from opcodetrace.spool.sites import Sites, read_sites
from opcodetrace.trace.run import Module
from opcodetrace.trace.site import (
    EARLIER,
    EXCLUDED,
    Code,
    Ended,
    Flow,
    Followed,
    LeftModule,
    Patterns,
    SourceFile,
    SwitchPoint,
)
from tests.traces import make_code, make_site

FILE = SourceFile(0, "/home/me/bank.py", "bank", b"counter[0] += 1\n")
POINT = SwitchPoint(24, 10, "RESUME", 1, 1, 0, 0, True)
CODE = make_code(
    make_site(0, "LOAD_SUBSCR", columns=(0, 10)),
    make_site(1, "STORE_SUBSCR", flow=Flow(reads=(0,), opaque=True)),
    points=(POINT,),
)
LEFT = LeftModule("os", EARLIER)
PATTERNS = Patterns(("os", "bank.*"), ("queue",))
UNWOVEN = Code(1, 0, "hard", 9, (), (), "too hard")


def entries() -> list[bytes]:
    return [encode(FILE), encode(CODE), encode(UNWOVEN)]


def test_counts_what_was_woven_by_module() -> None:
    again = FILE._replace(id=1)
    codes = [CODE, UNWOVEN, CODE._replace(id=2, file=1), UNWOVEN._replace(id=3, file=1)]

    modules = Sites([FILE, again], codes, [LEFT, LEFT], Patterns()).modules()

    assert modules == [Module("bank", 0, 1, 1), Module("os", None, 0, 0, EARLIER)]


def test_remarks_name_patterns_that_did_nothing_and_failures() -> None:
    failed = LeftModule("bank.gui", "ValueError: no")
    patterns = Patterns(("os", "bank.*", "nobody"), ("bank.gui", "queue"))
    out = LeftModule("queue", EXCLUDED)

    remarks = Sites([FILE], [CODE], [LEFT, failed, out], patterns).remarks()

    named = [remark.partition(":")[0] for remark in remarks]
    assert named == ["--include os", "--include nobody", "--exclude bank.gui", "module bank.gui ran as it is, unseen"]
    assert "os was imported by Python itself" in remarks[0]


def test_a_remark_says_where_values_were_not_followed() -> None:
    long = CODE._replace(flow=str(Followed.BUDGET))
    hard = [CODE._replace(flow=str(Followed.NONE), function=f"f{number}") for number in range(7)]
    assert Sites([FILE], [CODE, UNWOVEN], [], Patterns()).remarks() == []
    assert Sites([FILE], [long, *hard], [], Patterns()).remarks() == [
        "1 function too long to follow every value: what flows into some of the writes is inferred, not proven "
        f"({CODE.function})",
        "7 functions in which values could not be followed: what flows into the writes is inferred, not proven "
        "(f0, f1, f2, f3, f4 and 2 more)",
    ]


def test_reads_back_what_the_child_sent(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sites").write_bytes(
        b"".join([*entries(), encode(PATTERNS), encode(LEFT), encode(Ended("KeyError: 'x'"))])
    )

    sites = read_sites(tmp_path / "sites")
    codes = sites.codes

    assert sites == Sites([FILE], [CODE, UNWOVEN], [LEFT], PATTERNS, "KeyError: 'x'")
    assert isinstance(codes[0].sites[1].flow, Flow)
    assert isinstance(codes[0].switch_points[0], SwitchPoint)


def test_a_module_that_is_numbered_from_0_is_shifted(tmp_path: pathlib.Path) -> None:
    woven = WovenFile(7, FILE.path, FILE.module, (10, 100, 1000), describe(FILE.source, [CODE]))
    (tmp_path / "sites").write_bytes(encode(woven))

    sites = read_sites(tmp_path / "sites")
    (code,) = sites.codes

    assert sites.files == [FILE._replace(id=7)]
    assert (code.id, code.file, [site.id for site in code.sites]) == (10, 7, [100, 101])
    flow = code.sites[1].flow
    assert flow is not None
    assert flow.reads == (100,)


def test_a_tuple_cut_off_anywhere_is_ignored(tmp_path: pathlib.Path) -> None:
    first, second, third = entries()
    for length in range(len(third)):
        (tmp_path / "sites").write_bytes(first + second + third[:length])
        assert read_sites(tmp_path / "sites") == Sites([FILE], [CODE], [], Patterns())


@pytest.mark.parametrize("byte", range(HEAD.size))
def test_a_length_that_is_damaged_is_no_unfinished_message(tmp_path: pathlib.Path, byte: int) -> None:
    first, second, third = (bytearray(entry) for entry in entries())
    second[byte] ^= 0xFF
    (tmp_path / "sites").write_bytes(first + second + third)
    with pytest.raises(SpoolError, match="sites is damaged"):
        read_sites(tmp_path / "sites")


def test_no_file_is_no_sites(tmp_path: pathlib.Path) -> None:
    assert read_sites(tmp_path / "sites") == Sites([], [], [], Patterns())


def framed(text: str, rest: bytes = b"") -> bytes:
    return HEAD.pack(len(text), len(rest)) + text.encode() + rest


@pytest.mark.parametrize(
    "text",
    [
        '["thread", 1]',
        "7",
        '["file", 1]',
        '["file", -1, "a.py", "a"]',
        '["file", 4294967295, "a.py", "a"]',
        '["file", true, "a.py", "a"]',
        '["woven", 0, "a.py", "a", [0, 0, 1e300]]',
        '["left", "os", 7]',
        '["patterns", "os", []]',
        "[" * 100_000,
        '["left", "os", ' + "9" * 5000 + "]",
        "\xff",
        json.dumps(["code", *CODE])[:-1],
        json.dumps(["code", *CODE._replace(sites=())._replace(returned=Flow(reads=(0,)))]),
        json.dumps(["code", *CODE._replace(file=9)]),
    ],
)
def test_what_is_no_site_is_named(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "sites").write_bytes(framed(text))
    with pytest.raises(SpoolError, match="sites"):
        read_sites(tmp_path / "sites")


@given(st.sampled_from([FILE, CODE, UNWOVEN, LEFT, PATTERNS]), st.data())
def test_a_message_with_anything_in_it_is_read_or_named(message: Any, data: st.DataObject) -> None:
    length, rest = HEAD.unpack_from(encode(message))
    fields = json.loads(encode(message)[HEAD.size : HEAD.size + length])
    at = fields
    while True:  # a place at any depth
        place = data.draw(st.integers(0, len(at) - 1))
        if not isinstance(at[place], list) or not at[place] or data.draw(st.booleans()):
            break
        at = at[place]
    at[place] = data.draw(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([1]) | st.just({})
    )
    with contextlib.suppress(ValueError):
        list(decode(framed(json.dumps(fields), bytes(rest))))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_named(data: bytes) -> None:
    for tried in (data, encode(LEFT) + data, framed("[]", data)):
        with contextlib.suppress(ValueError):
            list(decode(tried))
    with contextlib.suppress(ValueError):
        described(WovenFile(0, "a.py", "a", (0, 0, 0), data))
