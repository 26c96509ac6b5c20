"""`record --no-values`: what a program reads and writes is in no file of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import opcodetrace
from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.spool.options import Options
from opcodetrace_cli import main
from tests.recorder import racing
from tests.recording import Scripts

# the values are made, so that the source does not hold them
SCRIPT = """
import pathlib, sys, threading
words = [chr(97 + n) * 9 for n in range(4)]
class Account:
    def __init__(self):
        self.text, self.data, self.many = words[0], words[1].encode(), None
account, counter, barrier = Account(), [0], threading.Barrier(2)
def work():
    read = counter[0]
    barrier.wait()
    counter[0] = read + 7654321
    account.text = account.text + words[2]
    account.data = account.data + words[2].encode()
    account.many = (words[3], account)
    account.list = [words[3]]
    account.real = 0.7654321
    account.other = Account()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
read = account.many, account.list, account.other
(spool,) = pathlib.Path(sys.argv[1]).parent.glob("*.spool-*")
def head(path):  # the window is long, and nearly all of it a hole
    with path.open("rb") as file:
        return file.read(1 << 21)
data = b"".join(head(spool / name) for name in ("window", "sites", "meta.json"))
found = [word for word in words if word.encode() in data]
print(found, (7654321).to_bytes(8, "little") in data)
"""


def test_no_value_is_in_the_spool_nor_in_the_file(scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)
    done = scripts.record("--no-values", "--keep", "all", "script.py", str(scripts.database))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"[] False\n"
    stored = scripts.database.read_bytes()
    for letter in b"abcd":
        assert bytes([letter]) * 9 not in stored
    types = scripts.query("SELECT DISTINCT value_type FROM events WHERE kind <= 3 AND value IS NOT NULL")
    assert types == [("object",)]
    texts = [str(text) for (text,) in scripts.query("SELECT DISTINCT value FROM events WHERE value_type = 'object'")]
    assert any("Account #" in text for text in texts)
    assert not any(" once " in text or " = " in text for text in texts)
    assert "no values were recorded (--no-values)" in str(scripts.query("SELECT notes FROM runs"))


FAILS = """
import threading
tokens, lock = {}, threading.Lock()
def work():
    with lock:
        try:
            tokens["token"]
        except KeyError:
            tokens["token"] = 1
        else:
            del tokens["token"]
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize("option", [("--no-values",), ("--redact", "token")])
def test_what_was_raised_is_no_value(option: tuple[str, ...], scripts: Scripts) -> None:
    scripts.write("script.py", FAILS)
    assert scripts.record(*option, "script.py").returncode == 0
    stored = scripts.query("SELECT kind, value, value_type FROM events ORDER BY seq")
    assert [row for row in stored if row[1:] != (None, None)] == [(1, "KeyError", "raised")] * 2
    assert [kind for kind, *_ in stored] == [1, 2, 1, 3, 1, 2]
    assert scripts.opcodetrace("report").returncode == 0


def test_what_was_lost_is_found_all_the_same(scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)
    scripts.record("--no-values", "script.py", str(scripts.database))
    labels = [label for (label,) in scripts.query("SELECT location FROM lost_updates")]
    if not FREE_THREADED:
        assert "counter[0]" in labels
    assert scripts.opcodetrace("report").returncode == 0


PUTS_BACK = """
import threading
level, read, done = [5], threading.Event(), threading.Event()
def slow():
    value = level[0]
    read.set(); done.wait()
    level[0] = WRITTEN
def fast():
    read.wait()
    value = level[0]
    level[0] = WRITTEN
    done.set()
threads = [threading.Thread(target=each) for each in (slow, fast)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("written", ["value", "max(value, 3)", "value + 0"])
def test_a_write_that_may_have_put_back_what_was_there_loses_nothing_for_sure(written: str, scripts: Scripts) -> None:
    scripts.write("script.py", PUTS_BACK.replace("WRITTEN", written))
    for options, most in (((), int(FREE_THREADED)), (("--no-values",), 1)):
        assert scripts.record(*options, "script.py").returncode == 0
        assert scripts.opcodetrace("check").returncode == 0
        low_high = "SELECT coalesce(sum(low), 0), coalesce(sum(high), 0) FROM lost_counts WHERE run_id ="
        ((low, high),) = scripts.query(f"{low_high} (SELECT max(id) FROM runs)")
        assert low == 0
        assert int(str(high)) <= most
        if options and not FREE_THREADED:
            assert high == 1


def test_with_values_they_are_there(scripts: Scripts) -> None:
    scripts.write("script.py", SCRIPT)
    done = scripts.record("--keep", "all", "script.py", str(scripts.database))
    assert done.stdout.endswith(b"True\n")


@pytest.mark.parametrize(
    ("name", "text"),
    [("setup.cfg", "[opcodetrace]\nvalues = none\n"), ("pyproject.toml", '[tool.opcodetrace]\nvalues = "none"\n')],
)
def test_the_configuration_says_so(scripts: Scripts, name: str, text: str) -> None:
    scripts.write("script.py", SCRIPT)
    scripts.write(name, text)
    assert scripts.record("script.py", str(scripts.database)).stdout == b"[] False\n"
    assert scripts.record("--values", "script.py", str(scripts.database)).stdout.endswith(b"True\n")


@pytest.mark.parametrize("value", ["some", "none all", ""])
def test_a_word_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup.cfg").write_text(f"[opcodetrace]\nvalues = {value}\n")
    (tmp_path / "script.py").write_text("")
    result = CliRunner().invoke(main, ["record", "script.py"])
    assert result.exit_code == 2
    assert "it may be all or none" in result.stderr


def test_in_process(tmp_path: Path) -> None:
    with opcodetrace.record(racing, database=tmp_path / "t.db", values=False) as recording:
        racing.take_over()
    assert b"'first'" not in recording.report().encode()
    assert Options().values


def test_a_recording_after_one_without_values_has_them(tmp_path: Path) -> None:
    for values in (False, True):
        with opcodetrace.record(racing, database=tmp_path / "t.db", values=values, keep_all=True) as recording:
            racing.take_over()
        assert recording.run is not None
