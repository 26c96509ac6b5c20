"""Fixtures that any test may use."""

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # how long an example takes says nothing
hypothesis.settings.load_profile("untimed")

# A shell starts what it runs in the background with the first two ignored, nohup with the third; what tests start would
# ignore them, too.
for _signum, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, _handler)

# Processes that tests start keep what they compiled, as a user's do. Else each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Each recording commits to a trace file of its own; on a disk, a fifth of the suite's time is the wait for that.
_MEMORY = Path("/dev/shm")
if os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))

# The readline library, which pytest imports, tells them to processes past os.environ.
for _name in ("COLUMNS", "LINES"):
    if _name not in os.environ:
        os.unsetenv(_name)

pytest.register_assert_rewrite("tests.recording")

from tests.recording import Recording, Scripts  # noqa: E402
from tests.recording import record as make_recording  # noqa: E402


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """`opcodetrace record` freezes what its process has loaded, also if it is this one."""
    yield
    gc.unfreeze()


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Recording]:
    """Records a script into a fresh database of this test; each further call adds a run to it."""

    def recorded(*arguments: str | Path) -> Recording:
        return make_recording(tmp_path / "trace.db", *arguments)

    return recorded


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    """A fresh folder in which scripts are run plainly and recorded."""
    return Scripts(tmp_path)
