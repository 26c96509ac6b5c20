"""The window, from both sides."""

import os
import signal
import struct
import sys
from pathlib import Path

import pytest

from opcodetrace.errors import OpcodetraceError
from opcodetrace.spool import window as window_module
from opcodetrace.spool.layout import (
    ALLOCATED_OFFSET,
    HEADER_SIZE,
    MAGIC,
    NEXT_OFFSET,
    RECORD_SIZE,
    HeaderFlag,
    RecordKind,
    ring_for,
)
from opcodetrace.spool.window import Window
from tests.probe.traced import start, trace
from tests.windows import read


def test_a_new_window(tmp_path: Path) -> None:
    with Window.create(tmp_path / "window", window_bytes=1 << 30) as window:
        assert (window.pid, window.flags, window.next, window.stop_seq, window.missed) == (0, HeaderFlag(0), 0, 0, 0)
        assert (window.limit, window.disk_full) == (0, False)
        assert os.stat(window.path).st_size == HEADER_SIZE + (1 << 30) // RECORD_SIZE * RECORD_SIZE
        assert not window.ended(0)
        with pytest.raises(FileExistsError):
            Window.create(tmp_path / "window")


def test_the_header_is_as_the_probe_reads_it(tmp_path: Path) -> None:
    Window.create(tmp_path / "window", window_bytes=1 << 20).close()
    assert struct.unpack_from("<QII", (tmp_path / "window").read_bytes()) == (MAGIC, 1, RECORD_SIZE)
    assert struct.pack("<Q", MAGIC) == b"COPTRACE"


def test_pages_are_brought_in_ahead_of_the_probe(tmp_path: Path) -> None:
    with Window.create(tmp_path / "window", window_bytes=1 << 28) as window:
        size = window_module.MIB
        assert size <= blocks(window) < 2 * size
        for written in (size, 10 * size, 200 * size, (1 << 28) - size):
            struct.pack_into("<Q", window._map, NEXT_OFFSET, written // RECORD_SIZE)
            before = blocks(window)
            window.go_ahead()
            assert blocks(window) <= before + window_module.WARM + size
        assert blocks(window) > before
        assert (window.limit, window.disk_full) == (0, False)


def blocks(window: Window) -> int:
    return os.stat(window.path).st_blocks * 512


@pytest.fixture
def no_populating(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a system that cannot populate pages."""
    monkeypatch.setattr(window_module, "_populate", lambda *_: False)


@pytest.mark.usefixtures("no_populating")
class TestWhereNoPagesCanBePopulated:
    def test_it_is_allocated_ahead_of_the_probe(self, tmp_path: Path) -> None:
        with Window.create(tmp_path / "window", window_bytes=1 << 29) as window:
            before = allocated(window)
            assert window_module.AHEAD < (before + 1) * RECORD_SIZE < window_module.AHEAD + window_module.STEP
            assert blocks(window) >= window_module.AHEAD
            struct.pack_into("<Q", window._map, NEXT_OFFSET, before // 2)
            window.go_ahead()
            assert allocated(window) > before
            window.allocate_all()
            assert allocated(window) == (1 << 29) // RECORD_SIZE
            assert not window.disk_full

    def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        left = 8 << 20

        def allocate(descriptor: int, offset: int, size: int) -> None:
            nonlocal left
            left -= size
            if left < 0:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "posix_fallocate", allocate)
        with Window.create(tmp_path / "window") as window:
            assert window.disk_full
            before = allocated(window)
            assert 0 < before * RECORD_SIZE <= 8 << 20
            window.go_ahead()
            assert allocated(window) == before

    def test_there_is_no_fallocate_either(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(descriptor: int, offset: int, size: int) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "posix_fallocate", refuse)
        with Window.create(tmp_path / "window", window_bytes=1 << 24) as window:
            assert allocated(window) == (1 << 24) // RECORD_SIZE
            assert blocks(window) >= 1 << 24

    def test_a_ring(self, tmp_path: Path) -> None:
        with Window.create(tmp_path / "window", last=5_000_000) as window:
            size = ring_for(5_000_000)
            assert 0 < allocated(window) < size
            struct.pack_into("<Q", window._map, NEXT_OFFSET, size)
            window.go_ahead()
            assert allocated(window) > 1 << 60
            assert blocks(window) < HEADER_SIZE + size * RECORD_SIZE + window_module.MIB
            assert not window.disk_full


def allocated(window: Window) -> int:
    """How many records it was made room for."""
    (records,) = struct.unpack_from("<Q", window._map, ALLOCATED_OFFSET)
    assert isinstance(records, int)
    return records


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * (HEADER_SIZE + 100)])
def test_a_file_that_is_no_window(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "window").write_bytes(content)
    with pytest.raises(OpcodetraceError):
        Window.open(tmp_path / "window")
    process = start(str(tmp_path / "window"), "")
    assert "ValueError" in process.communicate()[1]


def test_what_cannot_be_attached(tmp_path: Path) -> None:
    process = start(str(tmp_path / "missing"), "")
    assert "FileNotFoundError" in process.communicate()[1]
    assert "RuntimeError" in trace("_probe.attach(sys.argv[1])", fails=True).errors


def test_after_attaching() -> None:
    result = trace("""
        import os
        print(os.getpid(), sorted(os.listdir('/proc/self/fd')) if os.path.exists('/proc/self/fd') else '')
        f = open(os.devnull); print(f.fileno())
    """)
    pid, descriptor = result.output.split()[0], result.output.split()[-1]
    assert (result.pid, int(descriptor)) == (int(pid), 3)
    assert HeaderFlag.ATTACHED in result.flags
    assert HeaderFlag.STOPPED not in result.flags


def test_nothing_is_recorded_before_the_start_and_after_the_stop() -> None:
    result = trace("""
        h = hook('COMPUTE')
        _probe.stop()
        h[h] = 1
        _probe.start()
        h[h] = 2
        assert _probe.recorded() > 0
        _probe.stop()
        h[h] = 3
    """)
    assert [event.value for event in result.of(RecordKind.COMPUTE)] == [2]


WORK = """
import threading
h = hook('COMPUTE')
def work():
    for i in range(20000): h[h] = i
def work_beside(others):
    threads = [threading.Thread(target=work) for _ in range(others)]
    for t in threads: t.start()
    work()
    for t in threads: t.join()
"""


@pytest.mark.parametrize("threads", [0, 4])
def test_a_full_window_ends_the_recording(threads: int) -> None:
    result = trace(WORK + f"work_beside({threads})\n_probe.start()\nh[h] = 0", max_records=5000)
    assert HeaderFlag.STOPPED in result.flags
    assert result.stop_seq == 5000
    assert result.events[-1].seq == 4999
    if not threads:
        values = [event.value for event in result.of(RecordKind.COMPUTE)]
        assert values == list(range(len(values)))
        assert len(values) > 4900


def test_the_window_is_used_up_to_its_last_byte() -> None:
    result = trace("h = hook('COMPUTE')\nfor i in range(30000): h[h] = i", window_bytes=1 << 20)
    assert result.stop_seq == (1 << 20) // RECORD_SIZE


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the collector allocates")
@pytest.mark.parametrize("threads", [0, 4])
def test_a_full_disk_ends_the_recording_and_not_the_script(threads: int) -> None:
    """What is cut off from the file has no blocks, and no write can give it any."""
    result = trace(
        WORK
        + f"""
import os
from opcodetrace.spool.layout import DISK_FULL_OFFSET, HEADER_SIZE, LIMIT_OFFSET, RECORD_SIZE
h[h] = 0
def at(offset):
    with open(sys.argv[1], 'rb') as window:
        window.seek(offset)
        return int.from_bytes(window.read(8), 'little')
assert at(DISK_FULL_OFFSET) == 0
limit = at(LIMIT_OFFSET)
os.truncate(sys.argv[1], HEADER_SIZE + limit * RECORD_SIZE)
work_beside({threads})
assert at(DISK_FULL_OFFSET) == 1
os.truncate(sys.argv[1], HEADER_SIZE + (1 << 24))  # there is room again
_probe.start()
work()
print(limit)
"""
    )
    assert HeaderFlag.STOPPED in result.flags
    assert result.stop_seq == int(result.output) > 0
    assert result.events[-1].seq == result.stop_seq - 1


def test_a_forked_child_records_nothing() -> None:
    result = trace("""
        import os, threading, subprocess
        h = hook('COMPUTE')
        h[h] = 1
        child = os.fork()
        if not child:
            h[h] = 2
            lists = [[] for _ in range(1000)]
            t = threading.Thread(target=lambda: None); t.start(); t.join()
            os._exit(0 if _probe.recorded() == 0 else 1)
        assert os.waitpid(child, 0)[1] == 0
        h[h] = 3
        subprocess.run([sys.executable, '-c', ''], check=True)
        h[h] = 4
    """)
    assert [event.value for event in result.of(RecordKind.COMPUTE)] == [1, 3, 4]
    assert result.ended == []


def test_what_was_recorded_survives_the_process(tmp_path: Path) -> None:
    path = tmp_path / "window"
    Window.create(path, window_bytes=1 << 24).close()
    program = "h = hook('COMPUTE')\nfor i in range(1000): h[h] = i\nimport os\nos.kill(os.getpid(), 9)"
    process = start(str(path), program)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with Window.open(path) as window:
        assert [event.value for event in read(window).of(RecordKind.COMPUTE)] == list(range(1000))
