"""Which writes are conditional updates, and by what read they were decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recording import record
from tests.rewrite.flow.woven import Woven, weave

# A body of `def f(d, k, o)`, the line of the constant that is written (or assigned), and the reads that decided it:
# those that were tested, and those that failed.
UPDATES = [
    ("if k in d:\n d[k] += 1\nelse:\n d[k] = 1", "d[k] = 1", {"k in d"}, set()),
    ("if k not in d:\n d[k] = 1\nelse:\n d[k] += 1", "d[k] = 1", {"k not in d"}, set()),
    ("if 'a' in d:\n d['a'] += 1\nelse:\n d['a'] = 1", "d['a'] = 1", {"'a' in d"}, set()),
    ("if k not in d:\n d[k] = 0\nd[k] += 1", "d[k] = 0", {"k not in d"}, set()),
    ("if k in d:\n d[k] = d[k] + 1\n return\nd[k] = 1", "d[k] = 1", {"k in d"}, set()),
    ("if k in d and d[k] > 0:\n d[k] += 1\nelse:\n d[k] = 1", "d[k] = 1", {"k in d", "d[k]"}, set()),
    ("found = k in d\nif found:\n d[k] += 1\nelse:\n d[k] = 1", "d[k] = 1", {"k in d"}, set()),
    ("n = d.get(k)\nif n is None:\n d[k] = 1\nelse:\n d[k] = n + 1", "d[k] = 1", {"d.get(k)"}, set()),
    ("n = d.get(k)\nif n is None:\n n = 0\nd[k] = n + 1", "n = 0", {"d.get(k)"}, set()),
    ("n = d.get(k)\nif not n:\n n = 0\nd[k] = n + 1", "n = 0", {"d.get(k)"}, set()),
    ("n = d.get(k)\nd[k] = 1 if n is None else n + 1", "d[k] = 1 if", {"d.get(k)"}, set()),
    ("n = d.get(k) or 0\nd[k] = n + 1", "n = d", {"d.get(k)"}, set()),
    ("d[k] = (d[k] or 0) + 1", "d[k]", {"d[k]"}, set()),
    ("d[k] = (d[k] if k in d else 0) + 1", "d[k]", {"k in d"}, set()),
    ("o.n = (o.n or 0) + 1", "o.n", {"o.n"}, set()),
    ("if o.n is None:\n o.n = 1\nelse:\n o.n += 1", "o.n = 1", {"o.n"}, set()),
    ("if not hasattr(o, 'n'):\n o.n = 0\no.n += 1", "o.n = 0", {"hasattr(o, 'n')"}, set()),
    ("if hasattr(o, 'n'):\n o.n += 1\nelse:\n o.n = 1", "o.n = 1", {"hasattr(o, 'n')"}, set()),
    ("n = getattr(o, 'n', None)\nif n is None:\n n = 0\no.n = n + 1", "n = 0", {"getattr(o, 'n', None)"}, set()),
    (
        "n = getattr(o, 'n', None)\nif n is None:\n setattr(o, 'n', 1)\nelse:\n o.n = n + 1",
        "setattr",
        {"getattr(o, 'n', None)"},
        set(),
    ),
    ("if o.n >= 5:\n o.n = 0\nelse:\n o.n += 1", "o.n = 0", {"o.n"}, set()),
    ("try:\n d[k] += 1\nexcept KeyError:\n d[k] = 1", "d[k] = 1", set(), {"d[k]"}),
    ("try:\n n = d[k]\nexcept KeyError:\n n = 0\nd[k] = n + 1", "n = 0", set(), {"d[k]"}),
    ("try:\n n = d[k]\nexcept KeyError:\n d[k] = 1\nelse:\n d[k] = n + 1", "d[k] = 1", set(), {"d[k]"}),
    ("try:\n o.n += 1\nexcept AttributeError:\n o.n = 1", "o.n = 1", set(), {"o.n"}),
    ("while k:\n try:\n  d[k] += 1\n except KeyError:\n  d[k] = 1", "d[k] = 1", set(), {"d[k]"}),
    ("with o:\n if k in d:\n  d[k] += 1\n else:\n  d[k] = 1", "d[k] = 1", {"k in d"}, set()),
    ("for k in o:\n if k in d:\n  d[k] += 1\n else:\n  d[k] = 1", "d[k] = 1", {"k in d"}, set()),
    ("for k in o:\n if k in d:\n  if o:\n   d[k] += 1\n else:\n  if o:\n   d[k] = 1", "d[k] = 1", {"k in d"}, set()),
    ("try:\n if k in d:\n  d[k] += 1\n else:\n  d[k] = 1\nfinally:\n o()", "d[k] = 1", {"k in d"}, set()),
    ("if (n := d.get(k)) is not None:\n d[k] = n + 1\nelse:\n d[k] = 1", "d[k] = 1", {"d.get(k)"}, set()),
    ("if str(k) in d.x:\n d.x[str(k)] += 1\nelse:\n d.x[str(k)] = 1", "d.x[str(k)] = 1", {"str(k) in d.x"}, set()),
    ("c = d.x\nif k in d.x:\n c[k] += 1\nelse:\n c[k] = 1", "c[k] = 1", {"k in d.x"}, set()),
]
# Nothing here is decided so that a write builds on what was tested.
NONE = [
    # variables that are given each other in turn, before they have a value: nothing goes round for ever
    "while k:\n if k > 1:\n  a = b\n else:\n  b = a\n if a in d:\n  d[a] = 1",
    "for i in k:\n for j in k:\n  if i:\n   a = b\n  b = a\n  if a:\n   d[b] = 1",
    "if k not in d:\n d[k] = []",
    "if k not in d:\n d[k] = []\nd[k].append(1)",
    "if k not in d:\n d[k] = o()\nreturn d[k]",
    "if not d.done:\n d.done = True",
    "while not d.done:\n d.done = True",
    "if o.n > 5:\n d[k] = 1\nelse:\n d[k] += 1",
    "if k in d:\n d[k] = 1\nelse:\n d[k] = 2",
    "if k in d:\n d[k] += 1\nelse:\n d[k, 1] = 1",
    "if k in d:\n o[k] += 1\nelse:\n d[k] = 1",
    "d[k] += 1\nd[k] = 0",
    "if k in d:\n o()\nd[k] = 0\nd[k] += 1",
    "d[k] = d[k] + 1 if k in d else d[k] - 1",
    "try:\n d[k] += 1\nexcept KeyError:\n o[k] = 1",
    "for k, v in d.items():\n if k in o:\n  o[k] = v\n else:\n  o[k] = 0",
    "if d or k not in d:\n d[k] = 0\nelse:\n d[k] += 1",
    "while d[k] < 3:\n d[k] += 1\nd[k] = 0",
]


def _decided(woven: Woven) -> list[tuple[int, set[str], set[str]]]:
    code = woven.code("f")
    found = []
    for site in code.sites:
        flow = site.flow
        if flow is not None and (flow.tested or flow.failed) and site.line is not None:
            found.append((site.line, woven.named(flow.tested), woven.named(flow.failed)))
    return found


def _program(body: str) -> str:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return "def f(d, k, o):\n" + lines


@pytest.mark.parametrize(("body", "line", "tested", "failed"), UPDATES)
def test_a_conditional_update_names_what_decided_it(body: str, line: str, tested: set[str], failed: set[str]) -> None:
    source = _program(body)
    woven = weave(source)
    ((at, *names),) = _decided(woven)
    assert source.splitlines()[at - 1].strip().startswith(line)
    assert names == [tested, failed]


@pytest.mark.parametrize("body", NONE)
def test_other_writes_under_a_test_are_none(body: str) -> None:
    assert _decided(weave(_program(body))) == []


# Each adds one to d['k']. The first thread sees that it is not there yet, and writes it when the other has added five.
COUNTERS = [
    "if 'k' in d: d['k'] += 1\n    else:\n        pause()\n        d['k'] = 1",
    "n = d.get('k')\n    pause()\n    d['k'] = 1 if n is None else n + 1",
    "n = d.get('k')\n    if n is None: n = 0\n    pause()\n    d['k'] = n + 1",
    "n = d.get('k') or 0\n    pause()\n    d['k'] = n + 1",
    "if 'k' not in d:\n        pause()\n        d['k'] = 0\n    d['k'] += 1",
]
_DRIVER = """
import threading
d = {{}}
seen, go_on = threading.Event(), threading.Event()
def pause():
    seen.set()
    go_on.wait()
def slow():
    {body}
def fast():
    seen.wait()
    for _ in range(5):
        d['k'] = d.get('k', 0) + 1
    go_on.set()
threads = [threading.Thread(target=each) for each in (slow, fast)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.parametrize("body", COUNTERS)
def test_what_a_conditional_update_overwrites_is_lost(body: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_DRIVER.format(body=body))
    recording = record(tmp_path / "trace.db", script)
    assert recording.exit_code == 0, recording.stderr
    assert recording.query("SELECT lost FROM runs") == [(5,)]
