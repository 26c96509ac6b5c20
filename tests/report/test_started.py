"""A finding says where its threads were started."""

from __future__ import annotations

import json

import pytest

from tests.recording import Scripts

COUNT = """
import threading
from concurrent.futures import ThreadPoolExecutor
counter, both = [0], threading.Barrier(2)
def add():
    count = counter[0]
    both.wait()
    counter[0] = count + 1
"""
STARTS = {
    "the same line": (
        "threads = [threading.Thread(target=add) for _ in range(2)]\n"
        "for each in threads: each.start()\nfor each in threads: each.join()\n",
        "Both threads were started at line 10.",
    ),
    "two lines": (
        "one, other = (threading.Thread(target=add, name=name) for name in ('one', 'other'))\n"
        "one.start()\nother.start()\none.join()\nother.join()\n",
        "one was started at line 10 and other at line 11.",
    ),
    "the main thread": (
        "one = threading.Thread(target=add, name='one')\none.start()\nadd()\none.join()\n",
        "one was started at line 10.",
    ),
    "a pool": (
        "with ThreadPoolExecutor(2) as pool:\n    pool.submit(add)\n    pool.submit(add)\n",
        "started at line 10",
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_finding_says_where_its_threads_were_started(name: str, scripts: Scripts) -> None:
    text, sentence = STARTS[name]
    scripts.write("script.py", COUNT + text)
    assert scripts.record("script.py").returncode == 0
    told = " ".join(scripts.opcodetrace("report").stdout.decode().split())
    assert sentence in told
    report = json.loads(scripts.opcodetrace("report", "--format", "json").stdout)
    at = {thread["thread"]: thread["started_at"] for thread in report["threads"]}
    assert at[0] is None
    assert at[1]["line"] == 10
