"""`opcodetrace weave` shows the original on the left, and hooks on the right alone."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from opcodetrace_cli import main

SOURCE = """\
class Tally:
    def add(self, counter):
        counter[0] = counter[0] + 1  # größer

def quiet():
    return None
"""


def weave(script: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["weave", str(script), *options])


def script(folder: Path, text: str = SOURCE) -> Path:
    path = folder / "tally.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_hooks_stand_on_the_right_alone(tmp_path: Path) -> None:
    result = weave(script(tmp_path), "--function", "add")
    assert result.exit_code == 0
    rows = [line.partition("│") for line in result.stdout.splitlines() if "│" in line]
    hooks = [(left, right) for left, _, right in rows if right.startswith(" +")]
    assert hooks and not any(left.strip() for left, _ in hooks)
    originals = [(left.split(), right.split()) for left, _, right in rows if left.strip() and left.strip() != "before"]
    for left, right in originals:
        assert [word for word in left if word.isupper()][:1] == [word for word in right if word.isupper()][:1]


def test_hooks_name_their_access(tmp_path: Path) -> None:
    text = weave(script(tmp_path)).stdout
    assert "LOAD_SUBSCR counter[0]" in text
    assert "STORE_SUBSCR counter[0]" in text
    assert "counter[0] = counter[0] + 1  # größer" in text


def test_all_code_is_shown_in_the_order_of_the_source(tmp_path: Path) -> None:
    text = weave(script(tmp_path)).stdout
    places = [text.index(f"\n{name}  ") for name in ("<module>", "Tally", "Tally.add", "quiet")]
    assert places == sorted(places)


def test_a_function_that_is_not_there(tmp_path: Path) -> None:
    result = weave(script(tmp_path), "--function", "subtract")
    assert result.exit_code == 2
    assert "Tally.add" in result.stderr


def test_a_script_that_cannot_be_read_or_compiled(tmp_path: Path) -> None:
    missing = weave(tmp_path / "missing.py")
    assert (missing.exit_code, "missing.py" in missing.stderr) == (2, True)
    broken = weave(script(tmp_path, "def ("))
    assert (broken.exit_code, "tally.py" in broken.stderr) == (2, True)
    assert weave(tmp_path).exit_code == 2
