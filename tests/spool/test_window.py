"""The window, from both sides."""

import os
import signal
import struct
from pathlib import Path

import pytest

from opcodetrace.errors import OpcodetraceError
from opcodetrace.spool import window as window_module
from opcodetrace.spool.layout import HEADER_SIZE, MAGIC, RECORD_SIZE, HeaderFlag, RecordKind
from opcodetrace.spool.window import Window
from tests.probe.traced import start, trace
from tests.windows import read


def test_a_new_window(tmp_path: Path) -> None:
    with Window.create(tmp_path / "window", window_bytes=1 << 30) as window:
        assert (window.pid, window.flags, window.next, window.stop_seq, window.missed) == (0, HeaderFlag(0), 0, 0, 0)
        assert window_module.AHEAD < (window.limit + 1) * RECORD_SIZE < window_module.AHEAD + window_module.STEP
        status = os.stat(window.path)
        assert status.st_size == HEADER_SIZE + (1 << 30) // RECORD_SIZE * RECORD_SIZE
        assert window_module.AHEAD < status.st_blocks * 512 < 2 * window_module.AHEAD
        assert not window.ended(0)
        with pytest.raises(FileExistsError):
            Window.create(tmp_path / "window")


def test_the_header_is_as_the_probe_reads_it(tmp_path: Path) -> None:
    Window.create(tmp_path / "window", window_bytes=1 << 20).close()
    assert struct.unpack_from("<QII", (tmp_path / "window").read_bytes()) == (MAGIC, 1, RECORD_SIZE)
    assert struct.pack("<Q", MAGIC) == b"COPTRACE"


def test_the_limit_follows_the_probe(tmp_path: Path) -> None:
    with Window.create(tmp_path / "window", window_bytes=1 << 28) as window:
        before = window.limit
        struct.pack_into("<Q", window._map, 64, before // 2)
        window.allocate_ahead()
        assert window.limit > before
        struct.pack_into("<Q", window._map, 64, (1 << 28) // RECORD_SIZE - 10)
        window.allocate_ahead()
        assert window.limit == (1 << 28) // RECORD_SIZE
        assert not window.disk_full


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = 8 << 20

    def allocate(descriptor: int, offset: int, size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    with Window.create(tmp_path / "window") as window:
        assert window.disk_full
        assert 0 < window.limit * RECORD_SIZE <= 8 << 20
        limit = window.limit
        window.allocate_ahead()
        assert window.limit == limit


def test_where_there_is_no_fallocate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, offset: int, size: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with Window.create(tmp_path / "window", window_bytes=1 << 24) as window:
        assert window.limit == (1 << 24) // RECORD_SIZE
        assert os.stat(window.path).st_blocks * 512 >= 1 << 24


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


@pytest.mark.parametrize("threads", [0, 4])
def test_a_full_window_ends_the_recording(threads: int) -> None:
    result = trace(
        f"""
        import threading
        h = hook('COMPUTE')
        def work():
            for i in range(20000): h[h] = i
        threads = [threading.Thread(target=work) for _ in range({threads})]
        for t in threads: t.start()
        work()
        for t in threads: t.join()
        _probe.start()
        h[h] = 0
        """,
        max_records=5000,
    )
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
