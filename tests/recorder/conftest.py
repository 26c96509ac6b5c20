"""The fixture of this folder."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.recorder.processes")

from tests.recorder.processes import Scripts  # noqa: E402


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    """A fresh folder."""
    return Scripts(tmp_path)
