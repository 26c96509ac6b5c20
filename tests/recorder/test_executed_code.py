"""Code that comes through no loader is woven where it is executed, and the program notices nothing."""

from __future__ import annotations

import re
import sys
import zipfile

import pytest

from tests.recording import Recording, Scripts, environment

THREADS = """
import threading
def both(work):
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""


def recorded(scripts: Scripts, *args: str) -> Recording:
    done = scripts.recorded(*args)
    return Recording(done.returncode, done.stdout.decode(), done.stderr.decode(), scripts.database)


def functions(recording: Recording, kind: str = "write") -> dict[str, int]:
    """How often each function touched what threads share, in the latest run."""
    sql = "SELECT function, count(*) FROM accesses WHERE kind = ? AND run_id = (SELECT max(id) FROM runs) GROUP BY 1"
    rows = recording.query(sql, kind)
    return {str(function): int(str(count)) for function, count in rows}


def test_methods_of_dataclasses(scripts: Scripts) -> None:
    scripts.write(
        "main.py",
        THREADS
        + """
from dataclasses import dataclass, field
@dataclass(order=True)
class Account:
    owner: str
    balance: int = 0
    notes: list = field(default_factory=list)
account = Account("ada")
both(lambda: account.__init__("bob", account.balance + 1))
print(account, account == Account("x"), account < Account("y"))
""",
    )
    assert scripts.plain("main.py").stdout == scripts.recorded("main.py").stdout
    recording = recorded(scripts, "main.py")
    assert functions(recording)["__create_fn__.<locals>.__init__"] == 9  # three attributes, three times
    values = recording.query(
        "SELECT value FROM accesses WHERE run_id = 1 AND location LIKE '%.balance' AND kind = 'write' ORDER BY seq"
    )
    assert [value for (value,) in values] == [0, 1, 2]


def test_what_the_program_executes(scripts: Scripts) -> None:
    scripts.write(
        "main.py",
        THREADS
        + """
counter = {"n": 0}
code = compile("counter['n'] += 1", "<made>", "exec")
def work():
    for _ in range(50):
        exec("counter['n'] += 1")
        exec(code)
        exec(b"counter['n'] += 1", globals())
        eval("  counter.__setitem__('n', counter['n'] + 1)")
exec("def named(): counter['n'] += 1", {"__name__": "elsewhere", "counter": counter})
made = {"counter": counter}
exec("def named(): counter['n'] += 1", made)
both(work)
both(made["named"])
print(counter)
""",
    )
    recording = recorded(scripts, "main.py")
    assert recording.exit_code == 0, recording.stderr
    writes = recording.query(
        "SELECT path, function, count(*) FROM accesses WHERE kind = 'write' GROUP BY path, function"
    )
    assert {(str(path).rpartition("/")[2], function): count for path, function, count in writes} == {
        ("<string>", "<module>"): 300,
        ("<made>", "<module>"): 100,
        ("<string>", "named"): 2,
    }
    reads = recording.query("SELECT count(*) FROM accesses WHERE kind = 'read' AND location LIKE 'counter[%'")
    assert reads == [(402,)]
    # the same code executed again is not woven again
    ((files,),) = recording.query("SELECT count(*) FROM files WHERE path = '<string>'")
    assert files == 3
    ((source,),) = recording.query("SELECT DISTINCT source FROM files WHERE path = '<string>' AND source LIKE 'def%'")
    assert source == "def named(): counter['n'] += 1"


SAME = {
    "errors and their tracebacks": """
import traceback
def attempt(*args, **keywords):
    try:
        print(exec(*args, **keywords))
    except BaseException:
        traceback.print_exc()
def attempt_eval(*args):
    try:
        print(eval(*args))
    except BaseException:
        traceback.print_exc()
sources = ["1/0", "1 +", "return", "a\\0b", b"\\xff", b"# coding: latin-1\\nprint('\\xe9')", "\\ud800"]
for source in [*sources, "def f(): x = y\\nf()"]:
    attempt(source)
    attempt_eval(source)
attempt("x = 1", [])
attempt("x = 1", {}, 3)
attempt("x = 1", {}, closure=3)
attempt(3)
attempt()
attempt_eval("\\t 1 + 1")
attempt_eval("\\n 1 + 1")
attempt("import nothing_of_this_name")
attempt("raise SystemExit(3)")
def free():
    x = 1
    def inner(): return x
    return inner
attempt(free().__code__)
attempt(free().__code__, closure=free().__closure__)
attempt_eval(free().__code__)
""",
    "flags of the caller": """
from __future__ import annotations
exec("def f(x: undefined): pass")
print(f.__annotations__, eval("(lambda: 1).__code__.co_flags") & 0x1000000 > 0)
import warnings
warnings.simplefilter("error")
try:
    exec("x = 1 is 1")
except SyntaxError as error:
    print(error)
warnings.simplefilter("always")
exec("x = 2 is 2")
""",
    "the functions themselves": """
import builtins, inspect, pickle, sys
print(exec, eval, exec is builtins.exec, exec.__module__, exec.__text_signature__, pickle.dumps(eval))
before = exec
class Names(dict):
    def __missing__(self, name): return "missing " + name
    def get(self, *a): raise AssertionError
    def __getitem__(self, name): return dict.__getitem__(self, name) if name in self else self.__missing__(name)
print(eval("a", {}, Names()))
namespace = {}
exec("x = [i for i in range(3)]\\ny = __builtins__ is not None", namespace)
print(sorted(namespace), namespace["x"])
def local():
    z = 5
    exec("z = z + 1; print(z, locals()['z'])")
    return z, eval("z"), sorted(eval("locals()"))
print(local())
print(inspect.stack()[0].function, [frame.function for frame in eval("inspect.stack()")])
""",
    "trace and profile functions": """
import sys
seen = []
def tracer(frame, event, arg):
    name = frame.f_code.co_filename.rpartition("/")[2]
    if name in ("bank.py", "main.py", "<string>") or "opcodetrace" in frame.f_code.co_filename:
        seen.append((event, name, frame.f_code.co_name, frame.f_lineno))
    return tracer
sys.settrace(tracer)
import bank
exec("bank.add()\\nx = 1")
exec("def made(): return bank.add()\\nmade()")
class A: pass
import dataclasses
sys.settrace(None)
print(len(seen), seen)
def profiler(frame, event, arg):
    name = frame.f_code.co_filename
    if name.rpartition("/")[2] in ("bank.py", "main.py", "other.py", "<string>") or "opcodetrace" in name:
        seen.append((event, name, frame.f_code.co_name))
seen = []
sys.setprofile(profiler)
exec("bank.add(); y = 1")
import other
sys.setprofile(None)
print(seen)
""",
    "forked processes": """
import os, sys
child = os.fork()
if not child:
    exec("print('in the child', eval('1 + 1'))")
    import bank
    bank.add()
    sys.exit(0)
os.waitpid(child, 0)
exec("print('in the parent')")
""",
}


@pytest.mark.parametrize("name", SAME)
def test_nothing_shows(scripts: Scripts, name: str) -> None:
    scripts.write("bank.py", "n = [0]\ndef add():\n    n[0] += 1\n")
    scripts.write("other.py", "n = [0]\n")
    scripts.write("main.py", SAME[name])
    assert scripts.same("main.py", options=["-B"], here=True) == 0


def test_code_of_libraries_is_left_alone(scripts: Scripts) -> None:
    """A library makes a method for a class of the program, and one for its own."""
    maker = """
def make(name, namespace=None):
    found = {}
    eval(compile(f"def {name}(box):\\n    box[0] += 1", f"<made {name}>", "exec"), found)
    return found[name]
own = make("of_the_library")
"""
    scripts.write("site-packages/maker/__init__.py", "from maker.inner import make, own")
    scripts.write("site-packages/maker/inner.py", maker)
    scripts.write("site-packages/user.py", "import maker\nother = maker.make('of_another_library')")
    scripts.write(
        "main.py",
        THREADS
        + """
import sys
sys.path.append("site-packages")
import maker, user
box = [0]
mine = maker.make("of_the_program")
[both(lambda function=function: function(box)) for function in (mine, maker.own, user.other)]
""",
    )
    recording = recorded(scripts, "main.py")
    assert recording.exit_code == 0, recording.stderr
    assert functions(recording) == {"of_the_program": 2}
    assert functions(recorded(scripts, "--include=maker.*", "--exclude=__main__", "main.py")).keys() >= {
        "of_the_library",
        "of_another_library",
    }


def test_an_excluded_module_executes_as_it_is(scripts: Scripts) -> None:
    scripts.write("made.py", "box = [0]\nexec('def add(): box[0] += 1')")
    scripts.write("main.py", THREADS + "import made\nboth(made.add)\nboth(made.add)\nprint(made.box)")
    assert functions(recorded(scripts, "main.py")) == {"add": 4}
    scripts.database.unlink()
    assert functions(recorded(scripts, "--exclude=made", "main.py")) == {}


def test_modules_in_an_archive(scripts: Scripts) -> None:
    scripts.write(
        "main.py",
        THREADS + "import sys\nsys.path.insert(0, 'shop.zip')\nimport shop\nboth(shop.sell)\nprint(shop.sold)\n",
    )
    with zipfile.ZipFile(scripts.folder / "shop.zip", "w") as archive:
        archive.writestr("shop/__init__.py", "sold = [0]\ndef sell():\n    sold[0] += 1\n")
    assert scripts.same("main.py", here=True) == 0
    recording = Recording(0, "", "", scripts.database)
    assert recording.query("SELECT name, reason FROM modules ORDER BY name") == [("__main__", None), ("shop", None)]
    writes = recording.query("SELECT location, count(*) FROM accesses WHERE kind = 'write' GROUP BY 1")
    assert ("sold[0]", 2) in writes


TESTS = """
import threading
import pytest
from shop import Shop
totals = [0]

@pytest.fixture
def bank():
    yield totals

def test_add(bank):
    def work():
        for _ in range(5):
            bank[0] += 1
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert bank[0] == 10
    assert bank[0:1] == [10]

class TestShop:
    def test_fails(self):
        shop = Shop()
        assert shop.sell(3) == {"sold": 4}, "counted"

    @pytest.mark.parametrize("number", [1, 2])
    def test_raises(self, number):
        with pytest.raises(ZeroDivisionError):
            number / 0
        exec("assert number == 1")
"""
SHOP = "class Shop:\n    def sell(self, n):\n        self.sold = n\n        return {'sold': self.sold}\n"


def test_test_modules_that_pytest_rewrites(scripts: Scripts) -> None:
    scripts.write("test_bank.py", TESTS)
    scripts.write("conftest.py", "import pytest\n@pytest.fixture(autouse=True)\ndef each():\n    assert [1] == [1]\n")
    scripts.write("shop.py", SHOP)
    env = environment(PYTHONDONTWRITEBYTECODE="")
    arguments = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-rA", "test_bank.py"]
    plain = scripts.run([sys.executable, *arguments], env=env)
    said = {re.sub(r"in \d+\.\d+s|0x\w+", "", plain.stdout.decode())}
    databases = [Recording(0, "", "", scripts.database)]
    for number in (1, 2):
        done = scripts.run(scripts.recording_command(*arguments), env=env)
        said.add(re.sub(r"in \d+\.\d+s|0x\w+", "", done.stdout.decode()))
        assert done.stderr == plain.stderr
        assert done.returncode == plain.returncode == 1
        rows = databases[0].query("SELECT name, max(functions) FROM modules WHERE run_id = ? GROUP BY name", number)
        modules = {str(name): int(str(count)) for name, count in rows}
        assert modules["test_bank"] >= 7 and modules["conftest"] == 2 and modules["shop"] == 3
        writes = databases[0].query(
            "SELECT function, location, line, count(*) FROM accesses WHERE run_id = ? AND kind = 'write'"
            " GROUP BY 1, 2, 3",
            number,
        )
        assert ("test_add.<locals>.work", "bank[0]", 14, 10) in writes
    assert len(said) == 1, said
    names = {path.suffix for path in scripts.folder.joinpath("__pycache__").iterdir()}
    assert names == {".pyc", ".woven"}
