"""An access that raises is an event: which location it looked for, and what was raised."""

from __future__ import annotations

import pytest

from tests.recording import Recording, record

PROGRAM = """\
import collections, heapq, operator, threading, types
class Account: pass
class Slots: __slots__ = ("n",)
class Own:
    def __getitem__(self, key): raise KeyError(key)
    def __getattr__(self, name): raise AttributeError(name)
class Key:
    def __init__(self): self.armed = False
    def __hash__(self):
        if self.armed: raise KeyError("of the hash")
        return 1
class Counts(dict):
    def __missing__(self, key): raise KeyError(key)
def fresh():
    global account, slots, own, key, table, counts, items, members, queue, heap, ordered, module, gone
    account, slots, own, key = Account(), Slots(), Own(), Key()
    table, counts, items, members, queue, heap = {"a": 1}, Counts(), [1], {1}, collections.deque(), []
    ordered, module, gone = collections.OrderedDict(), types.ModuleType("module"), 0
    del gone
def local():
    cell = 1
    del cell
    def inner(): return cell
    inner()
tried = []
"""
CASE = """
@tried.append
def _(one, mine, index=7, name="no"):
    try:
        ACCESS
    except Exception: pass
    else: raise SystemExit("it does not fail")
"""
END = """
for each in tried:
    fresh()
    for _ in range(2):
        thread = threading.Thread(target=each, args=(items, account))
        thread.start()
        thread.join()
"""
# The access: where it is told of, and what it raised. None: nothing of it is told.
ACCESSES = {
    "table['k']": ("table['k']", "KeyError"),
    "table[name]": ("table['no']", "KeyError"),
    "table['k'] += 1": ("table['k']", "KeyError"),
    "del table['k']": ("table['k']", "KeyError"),
    "table.pop('k')": ("table['k']", "KeyError"),
    "dict.pop(table, name)": ("table['no']", "KeyError"),
    "table.__getitem__('k')": ("table['k']", "KeyError"),
    "operator.getitem(table, 'k')": ("table['k']", "KeyError"),
    "operator.itemgetter('k')(table)": ("table['k']", "KeyError"),
    "ordered.pop('k')": ("ordered['k']", "KeyError"),
    "members.remove(2)": ("members[2]", "KeyError"),
    "items[5]": ("items", "IndexError"),
    "items[index]": ("items", "IndexError"),
    "one[7]": ("one", "IndexError"),
    "one[7] += 1": ("one", "IndexError"),
    "items[index] = 1": ("items", "IndexError"),
    "del items[index]": ("items", "IndexError"),
    "items.pop(index)": ("items", "IndexError"),
    "items.remove(5)": ("items", "ValueError"),
    "items.index(5)": ("items", "ValueError"),
    "queue.popleft()": ("queue", "IndexError"),
    "heapq.heappop(heap)": ("heap", "IndexError"),
    "ordered.popitem()": ("ordered", "KeyError"),
    "for each in members: members.add(each + 1)": ("members", "RuntimeError"),
    "for each in table: table[each * 2] = 1": ("table", "RuntimeError"),
    "for each, _ in table.items(): table[each * 2] = 1": ("table", "RuntimeError"),
    "account.x": ("account.x", "AttributeError"),
    "mine.x": ("mine.x", "AttributeError"),
    "mine.x += 1": ("mine.x", "AttributeError"),
    "del account.x": ("account.x", "AttributeError"),
    "getattr(account, name)": ("account.no", "AttributeError"),
    "delattr(account, name)": ("account.no", "AttributeError"),
    "operator.attrgetter('x')(account)": ("account.x", "AttributeError"),
    "slots.n": ("slots.n", "AttributeError"),
    "module.x": ("global x", "AttributeError"),
    "gone": ("global gone", "NameError"),
    "local()": ("cell cell", "NameError"),
    # what code of the program raised says nothing of a location
    "own['k']": None,
    "own.x": None,
    "key.armed = True; table[key]": None,
    "counts['k']": None,
    # nor do other exceptions
    "table[[]]": None,
    "items['no']": None,
    "None.x": None,
    "items.append()": None,
}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """All of them in turn, each by two threads."""
    folder = tmp_path_factory.mktemp("failed")
    script = folder / "script.py"
    script.write_text(PROGRAM + "".join(CASE.replace("ACCESS", access) for access in ACCESSES) + END)
    made = record(folder / "trace.db", "--keep", "all", script)
    assert made.exit_code == 0, made.stderr
    return made


@pytest.mark.parametrize("access", ACCESSES)
def test_what_failed(access: str, recording: Recording) -> None:
    first = 1 + 2 * list(ACCESSES).index(access)
    rows = [
        (thread, str(location).split(" (")[0].split(" #")[0], raised, value)  # without the number of one of several
        for thread, location, raised, value in recording.query(
            "SELECT thread, location, raised, value FROM accesses WHERE raised IS NOT NULL AND thread IN (?, ?)",
            first,
            first + 1,
        )
    ]
    expected = ACCESSES[access]
    assert rows == ([] if expected is None else [(thread, *expected, None) for thread in (first, first + 1)])
