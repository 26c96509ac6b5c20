"""Values of names such as password: hidden in reports, and with `--redact` in no trace file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

import opcodetrace
from opcodetrace.errors import UsageError
from opcodetrace.report import REPORTERS
from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.trace.event import Opaque, Value
from opcodetrace.trace.redaction import is_pattern, is_redacted, may_be_secret
from opcodetrace_cli import main
from tests.recorder import racing
from tests.recording import Scripts

# the values are made, so that the source does not hold them
SCRIPT = """
import threading
class Account:
    api_token, total = "q" * 9, 7000000
account = {"api_token": "q" * 9, "total": 7000000}
barrier = threading.Barrier(2)
def work():
    token, total = account["api_token"], account["total"]
    barrier.wait()
    account["api_token"] = token + "z" * 8
    account["total"] = total + 654321
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
needs_a_lost_update = pytest.mark.skipif(FREE_THREADED, reason="it need not lose the update without the GIL")


@pytest.mark.parametrize(
    ("name", "pattern", "matches"),
    [
        ("api_key", "key", True),
        ("apiKey", "key", True),
        ("account['API_KEY']", "key", True),
        ("keyboard", "key", False),
        ("monkey", "key", False),
        ("keys", "key", False),
        ("keys", "key*", True),
        ("user.api_key", "api_key", True),
        ("user.api.key", "api_key", True),
        ("key_api", "api_key", False),
        ("", "key", False),
    ],
)
def test_what_a_pattern_means(name: str, pattern: str, matches: bool) -> None:
    assert is_redacted(name, (pattern,)) is matches


def test_what_is_no_pattern() -> None:
    assert not any(map(is_pattern, ("", "_", "a b", "a/b", "\x1b")))


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("hunter2", True),
        (b"\x00\x01\x02\x03", True),
        ("(", False),
        (7, False),
        (None, False),
        (Opaque("Token", 1), False),
        (Opaque("Kind", 1, "Kind.NUMBER"), False),
        (Opaque("dict", 1, "3 items", changes=True), False),
        (Opaque("tuple", 1, "('joe', 'hunter2')"), True),
        (Opaque("str", 1, "'hunter2…' of 200 characters"), True),
        (Opaque("int", 1, "-123456789012345678901"), True),
    ],
)
def test_what_may_be_a_secret(value: Value, is_one: bool) -> None:
    assert may_be_secret(value) is is_one


@needs_a_lost_update
def test_numbers_are_hidden_if_they_are_named(scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT.replace("total", "token_count"))
    scripts.record("script.py")
    assert b"7654321" in scripts.opcodetrace("report").stdout
    assert b"7654321" not in scripts.opcodetrace("report", "--redact", "token").stdout


@needs_a_lost_update
@pytest.mark.parametrize("form", REPORTERS)
def test_reports_hide_such_values(scripts: Scripts, form: str) -> None:
    scripts.write("script.py", SCRIPT)
    scripts.record("script.py")
    assert scripts.query("SELECT count(*) FROM events WHERE value LIKE 'qqqqqqqqqz%'") != [(0,)]
    text = scripts.opcodetrace("report", "--format", form).stdout
    assert b"qqqqqqqqq" not in text
    assert b"hidden" in text
    assert b"7654321" in text
    assert b"qqqqqqqqq" in scripts.opcodetrace("report", "--format", form, "--redact", "total").stdout
    assert b"7654321" not in scripts.opcodetrace("report", "--format", form, "--redact", "total").stdout


@needs_a_lost_update
@pytest.mark.parametrize("configured", [False, True])
def test_redact_keeps_them_out_of_the_file(scripts: Scripts, configured: bool) -> None:
    scripts.write("script.py", SCRIPT)
    if configured:
        scripts.write("setup.cfg", "[opcodetrace]\nredact = token, password\n")
    done = scripts.record(*([] if configured else ["--redact", "token"]), "script.py")
    assert done.returncode == 0
    stored = scripts.database.read_bytes()
    assert b"q" * 9 not in stored
    assert b"z" * 8 not in stored
    labels = {label for (label,) in scripts.query("SELECT location FROM lost_updates")}
    assert {"account['api_token']", "account['total']"} <= labels
    assert scripts.query("SELECT count(*) FROM accesses WHERE value = 7654321") != [(0,)]
    assert "values were left out (--redact): 1 location" in str(scripts.query("SELECT notes FROM runs"))
    assert scripts.opcodetrace("report").returncode == 0


def test_a_name_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text("")
    result = CliRunner().invoke(main, ["record", "--redact", "a b", "script.py"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--redact: 'a b' is no name" in result.stderr


def test_in_process(tmp_path: Path) -> None:
    with opcodetrace.record(racing, database=tmp_path / "t.db", redact=["slot"], keep_all=True) as recording:
        racing.take_over()
    assert recording.stored.notes
    assert b"first" not in b"".join(
        str(row).encode()
        for row in sqlite3.connect(tmp_path / "t.db").execute("SELECT value FROM accesses WHERE location = 'slot[0]'")
    )
    with pytest.raises(UsageError, match="no name"):
        opcodetrace.record(racing, redact=["a b"])
