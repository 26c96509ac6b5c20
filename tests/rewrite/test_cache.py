"""Woven modules kept beside the .pyc files: what is loaded is what was woven, and nothing else is ever loaded."""

from __future__ import annotations

import os
import py_compile
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from opcodetrace.probe import _probe
from opcodetrace.rewrite import cache as cache_module
from opcodetrace.rewrite.cache import Cache, version_of_weaver
from opcodetrace.rewrite.interpreters import FREE_THREADED
from opcodetrace.rewrite.woven_module import Counts, WovenModule, describe, shift, weave
from opcodetrace.spool import private_file
from opcodetrace.trace.library import LIBRARY as SYNCHRONISATION

LIBRARY = Path(os.__file__).parent
MODULES = "argparse bisect dataclasses enum heapq queue textwrap threading".split()  # noqa: SIM905
SOURCE = b"hits = [0]\ndef hit():\n    global hits\n    hits[0] += 1\n    return lambda: hits\nhits = [1]\n"


@pytest.fixture(autouse=True)
def may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


class Kept:
    """A module in a folder, with a cache."""

    def __init__(self, folder: Path, source: bytes = SOURCE, name: str = "bank") -> None:
        self.cache = Cache(_probe, "0123")
        self.path = folder / f"{name}.py"
        self.write(source)

    def write(self, source: bytes) -> None:
        self.path.write_bytes(source)
        self.pyc = str(py_compile.compile(str(self.path), doraise=True))

    def woven(self) -> WovenModule:
        source = self.path.read_bytes()
        return weave(compile(source, self.path, "exec", dont_inherit=True), source, _probe)

    def store(self) -> WovenModule:
        woven = self.woven()
        self.cache.store(str(self.path), self.path.read_bytes(), woven)
        return woven

    def load(self) -> WovenModule | None:
        return self.cache.load(str(self.path), self.path.read_bytes())

    def file(self) -> Path:
        (found,) = Path(self.pyc).parent.glob("*.woven")
        return found


def same(first: object, second: object) -> bool:
    """Whether two constants, code objects among them, are alike in all that a program or the probe could tell."""
    if type(first) is not type(second):
        return False
    if isinstance(first, CodeType) and isinstance(second, CodeType):
        names = [name for name in dir(first) if name.startswith("co_") and name not in ("co_consts", "co_lnotab")]
        names = [name for name in names if not callable(getattr(first, name))]
        return (
            all(getattr(first, name) == getattr(second, name) for name in names)
            and len(first.co_consts) == len(second.co_consts)
            and all(map(same, first.co_consts, second.co_consts))
        )
    if isinstance(first, _probe.Hook | _probe.Code) and isinstance(second, _probe.Hook | _probe.Code):
        return repr(first.__reduce__()) == repr(second.__reduce__())
    return first == second if isinstance(first, frozenset) else repr(first) == repr(second)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_what_is_loaded_is_what_was_woven(tmp_path: Path, name: str) -> None:
    kept = Kept(tmp_path, (LIBRARY / f"{name}.py").read_bytes(), name)
    fresh = kept.store()
    loaded = kept.load()
    assert loaded is not None
    assert loaded.counts == fresh.counts
    assert loaded.counts.codes > 1
    assert loaded.description is not None and fresh.description is not None
    assert loaded.description == fresh.description
    assert same(loaded.code, fresh.code)
    first = Counts(100, 5000, 70)
    assert same(shift(loaded, first, _probe), shift(fresh, first, _probe))
    again = kept.load()
    assert again is not None and not same(loaded.code, again.code)  # the comparison sees numbers
    assert not list(tmp_path.glob("__pycache__/*.woven.*"))


def test_only_a_file_of_our_own_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds code that is going to be run."""
    kept = Kept(tmp_path)
    kept.store()
    assert kept.load() is not None
    assert kept.file().stat().st_mode & 0o022 == 0
    for mode in (0o664, 0o646):
        kept.file().chmod(mode)
        assert kept.load() is None
    kept.file().chmod(0o644)
    assert kept.load() is not None
    monkeypatch.setattr(private_file, "geteuid", lambda: os.getuid() + 1)
    assert kept.load() is None
    monkeypatch.undo()
    moved = kept.file().rename(tmp_path / "moved")
    (tmp_path / "__pycache__" / f"bank.{sys.implementation.cache_tag}.opcodetrace-0123.woven").symlink_to(moved)
    assert kept.load() is None


def test_a_module_that_a_group_may_write_is_kept_all_the_same(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.path.chmod(0o664)
    kept.store()
    assert kept.load() is not None


def test_described_code_too(tmp_path: Path) -> None:
    kept = Kept(tmp_path, (LIBRARY / "queue.py").read_bytes(), "queue")
    source = kept.path.read_bytes()
    code = compile(source, kept.path, "exec", dont_inherit=True)
    kept.cache.store(str(kept.path), source, describe(code, SYNCHRONISATION["queue"], _probe), kind="described")
    loaded = kept.cache.load(str(kept.path), source, kind="described")
    assert loaded is not None
    assert same(loaded.code, describe(code, SYNCHRONISATION["queue"], _probe).code)
    assert isinstance(loaded.code.co_consts[-1], _probe.Code)
    assert kept.load() is None


def test_the_files_place_follows_the_pyc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    kept.store()
    assert kept.file().name == f"bank.{sys.implementation.cache_tag}.opcodetrace-0123.woven"
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "elsewhere"))
    assert kept.load() is None
    kept.write(SOURCE)
    kept.store()
    assert str(kept.file()).startswith(str(tmp_path / "elsewhere"))
    assert kept.load() is not None


def test_a_moved_module_has_its_new_name(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.store()
    (tmp_path / "new").mkdir()
    os.rename(kept.path, tmp_path / "new" / "bank.py")
    os.rename(tmp_path / "__pycache__", tmp_path / "new" / "__pycache__")
    loaded = kept.cache.load(str(tmp_path / "new" / "bank.py"), SOURCE)
    assert loaded is not None

    def names(code: CodeType) -> Iterator[str]:
        yield code.co_filename
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from names(constant)

    assert set(names(loaded.code)) == {str(tmp_path / "new" / "bank.py")}


def test_other_code_of_the_same_file(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.store()
    kept.path.write_bytes(SOURCE.replace(b"+= 1", b"-= 1"))
    assert kept.load() is None
    kept.path.write_bytes(SOURCE)
    assert kept.load() is not None


def test_a_damaged_file_is_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.store()
    file = kept.file()
    whole = file.read_bytes()
    for at in [*range(64), *range(64, len(whole), 11)]:
        file.write_bytes(whole[:at] + bytes((whole[at] ^ 0x41,)) + whole[at + 1 :])
        assert kept.load() is None, at
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        assert kept.load() is None, length
    file.write_bytes(whole + b"\0")
    assert kept.load() is None
    kept.store()
    assert file.read_bytes() == whole
    assert kept.load() is not None


def test_nothing_is_written_where_python_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    kept.store()
    assert not list(tmp_path.glob("__pycache__/*.woven*"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    kept.store()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert kept.load() is not None


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)

    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(cache_module, "open", refuse, raising=False)
    kept.store()
    assert kept.load() is None
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "file"))
    kept.store()
    assert kept.load() is None


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)

    def full(*_: object) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(cache_module, "write", full)
    kept.store()
    assert [path.suffix for path in (tmp_path / "__pycache__").iterdir()] == [".pyc"]


def test_writers_at_one_time(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    done = threading.Event()
    wrong: list[object] = []

    def write() -> None:
        while not done.is_set():
            kept.store()

    threads = [threading.Thread(target=write) for _ in range(3)]
    kept.store()
    for thread in threads:
        thread.start()
    for _ in range(200):
        if kept.load() is None:
            wrong.append("not whole")
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(list((tmp_path / "__pycache__").iterdir())) == 2


def test_the_version_tells_weavers_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = version_of_weaver()
    assert version == version_of_weaver()
    sources = [*Path(str(cache_module.__file__)).parent.rglob("*.py")]
    read = cache_module.read_file
    for changed in [*sources, Path(sys.modules["opcodetrace.trace.site"].__file__ or "")]:

        def altered(name: str, changed: Path = changed) -> bytes:
            return read(name) + (b"#" if Path(name) == changed else b"")

        with monkeypatch.context() as patch:
            patch.setattr(cache_module, "read_file", altered)
            assert version_of_weaver() != version, changed
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "FREE_THREADED", not FREE_THREADED)
        assert version_of_weaver() != version


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (None,),
        (None, None),
        (None, (0, b"", b"", (), 0, b"")),
        (None, (1, b"\0\0\0\0", b"\x17", (), 0, b"")),
        (None, (-1, b"", b"", (), 0, b"")),
        (None, 7, 7),
        7,
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: object) -> None:
    code = compile("def f(): return 1", "f.py", "exec")
    code = code.replace(co_consts=(*code.co_consts, None))
    if parts == (None, None):
        _probe.furnish(code, (None, None), 0, 0)
        return
    with pytest.raises((ValueError, TypeError)):
        _probe.furnish(code, parts, 0, 0)  # type: ignore[arg-type]
