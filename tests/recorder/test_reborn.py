"""Objects that die and are born again at the same address, by the thousand, in threads that live shortly."""

from __future__ import annotations

import pytest

from tests.recording import Scripts

REBORN = """
import threading, sys
sys.setswitchinterval(1e-5)
class Slots:
    __slots__ = ('n', 'm')
class Inline: pass
class Rows(list): pass
class Table(dict): pass
class Wide:
    def __init__(self):
        for k in range(40): setattr(self, f'a{k}', k)
def cells():
    total = 0
    def add():
        nonlocal total
        total = total + 1
    return add
def work(k):
    for r in range(4):
        s = Slots(); s.n = 0
        s.n = s.n + 1
        i = Inline(); i.n = k; i.n += 1; i.o = i.n; i.__dict__['p'] = r; i.__dict__['p'] += 1
        row = [k]; row[0] += 1
        d = {'n': r}; d['n'] = d['n'] + 1; d[k] = r
        rr = Rows([k]); rr[0] += 1; rr.extra = k; rr.extra += 1
        t = Table(n=k); t['n'] += 1
        ba = bytearray(b'abc'); ba[0] = ba[0] + 1
        w = Wide(); w.a5 = w.a5 + 1
        add = cells(); add(); add()
        st = {k, r}
        tag = (k, r); keyed = {tag: 0}; keyed[tag] += 1
        ident = {s: 0}; ident[s] += 1
        nested = [[k], {k: [r]}]; nested[0][0] += 1; nested[1][k][0] += 1
        class Local: n = 0
        Local.n = Local.n + 1
        e = ValueError(k); e.n = k; e.n += 1
        del s, i, row, d
n = 150
for k in range(n):
    t = threading.Thread(target=work, args=(k,)); t.start(); t.join()
for k in range(n // 50):
    ts = [threading.Thread(target=work, args=(k,)) for _ in range(10)]
    for t in ts: t.start()
    for t in ts: t.join()
"""
THREADS = 150 + 150 // 50 * 10
OBJECTS = THREADS * 4  # of each kind
KINDS = [
    *(("Slots", "n"), ("Inline", "n"), ("Inline", "o"), ("Rows", 0), ("Rows", "extra"), ("Table", "n")),
    *(
        ("ValueError", "n"),
        ("bytearray", 0),
        ("cell", "total"),
        ("dict", "n"),
        ("dict", "p"),
        ("list", 1),
        ("type", "n"),
    ),
]


def test_they_are_no_shared_location_and_no_finding(scripts: Scripts) -> None:
    scripts.write("script.py", REBORN)
    assert scripts.same("script.py") == 0
    assert scripts.query("SELECT births, missed, holes, uncertain FROM runs") == [(1, 0, 0, 0)]
    assert scripts.query("SELECT label FROM locations") == []
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]


@pytest.mark.parametrize("options", [(), ("--last", "20000")], ids=["all", "the last of them"])
def test_nor_where_the_threads_run_beside_each_other(options: tuple[str, ...], scripts: Scripts) -> None:
    scripts.write("script.py", REBORN.replace("sys.setswitchinterval(1e-5)", "sys.setswitchinterval(1e-6)"))
    assert scripts.record(*options, "script.py").returncode == 0
    assert scripts.query("SELECT label FROM locations") == []
    assert scripts.query("SELECT lost_at_most, unseen FROM runs") == [(0, 0)]


def test_each_is_a_location_of_its_own(scripts: Scripts) -> None:
    scripts.write("script.py", REBORN)
    assert scripts.record("--keep", "all", "script.py").returncode == 0
    rows = scripts.query(
        "SELECT container_type, key, count(*), max(threads) FROM locations GROUP BY container_type, kind, key"
    )
    for kind, key in KINDS:
        assert (kind, key, OBJECTS, 1) in rows
