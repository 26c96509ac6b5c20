"""Which exception ended a script is in its run, without a line of the script's code run for that."""

from __future__ import annotations

import pytest

from tests.recording import Scripts

ENDINGS = {
    "": None,
    "raise ValueError('too much')": "ValueError: too much",
    "{}['x']": "KeyError: 'x'",
    "open('/nowhere/at/all')": "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/at/all'",
    "raise ValueError": "ValueError",
    "raise ValueError(1, 2.5, None)": "ValueError: (1, 2.5, None)",
    "class Own(Exception): pass\nraise Own('x')": "Own: x",
    "import json\njson.loads('{')": (
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    ),
    "raise ValueError('two\\nlines')": "ValueError: two",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "import sys\nsys.exit('told')": "SystemExit: told",
    "import sys\nsys.exit(3)": None,
    "import sys\nsys.exit()": None,
    "import os\nos._exit(4)": None,
    "from threading import Thread\nt = Thread(target=lambda: 1 / 0)\nt.start()\nt.join()": None,
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    pass": None,
    # what only the script's own code could say
    "class Own(Exception):\n    def __str__(self): print('called'); return 'x'\nraise Own('x')": "Own",
    "class Arg:\n    def __repr__(self): print('called'); return 'x'\nraise ValueError(Arg())": "ValueError",
    "class Arg(str):\n    def __str__(self): print('called'); return 'x'\nraise ValueError(Arg('x'))": "ValueError",
    "class Arg:\n    def __repr__(self): print('called'); return 'x'\n"
    "e = OSError(2, 'no')\ne.filename = Arg()\nraise e": "FileNotFoundError",
    "class Meta(type):\n    def __getattribute__(c, n): print('called'); return type.__getattribute__(c, n)\n"
    "class Own(Exception, metaclass=Meta): pass\nraise Own('x')": "Own: x",
    "raise ExceptionGroup('several', [ValueError(1)])": "ExceptionGroup",
    "raise ValueError(10 ** 5000)": "ValueError",
}


@pytest.mark.parametrize("source", ENDINGS)
def test_the_exception_that_ended_it(source: str, scripts: Scripts) -> None:
    scripts.write("script.py", source + "\n")
    done = scripts.record("script.py")
    assert scripts.query("SELECT exception FROM runs") == [(ENDINGS[source],)]
    if "called" in source and "metaclass" not in source:  # Python itself asks the exception once, to print it
        assert done.stdout == b"called\n"


def test_of_a_module(scripts: Scripts) -> None:
    scripts.write("script.py", "raise ValueError('too much')\n")
    scripts.record("-m", "script")
    assert scripts.query("SELECT exception FROM runs") == [("ValueError: too much",)]


def test_a_long_text_is_cut(scripts: Scripts) -> None:
    scripts.write("script.py", "raise ValueError('a' * 100_000)")
    scripts.record("script.py")
    ((exception,),) = scripts.query("SELECT exception FROM runs")
    assert str(exception).startswith("ValueError: aaaa")
    assert len(str(exception)) == 1_000


def test_a_forked_child_says_nothing(scripts: Scripts) -> None:
    scripts.write("script.py", "import os\nif os.fork() == 0:\n    raise KeyError('child')\nos.wait()\n")
    scripts.record("script.py")
    assert scripts.query("SELECT exit_code, exception FROM runs") == [(0, None)]


def test_values_that_are_not_to_be_stored_are_not_told(scripts: Scripts) -> None:
    scripts.write("script.py", "raise ValueError('hunter2')")
    scripts.record("--no-values", "script.py")
    scripts.write(
        "hidden.py",
        "from threading import Thread\nclass Account: token = 'hunter2'\naccount = Account()\n"
        "def use(): account.token += '!'\nthread = Thread(target=use)\nthread.start()\nthread.join()\n"
        "raise ValueError(account.token)\n",
    )
    scripts.record("--redact", "token", "hidden.py")
    assert scripts.query("SELECT exception FROM runs") == [("ValueError",), ("ValueError",)]


def test_what_a_hook_for_exceptions_does_is_not_ours(scripts: Scripts) -> None:
    scripts.write(
        "script.py",
        "import sys\nsys.excepthook = lambda *error: setattr(sys, 'last_value', None)\nraise KeyError('x')\n",
    )
    assert scripts.same("script.py") == 1
    assert scripts.query("SELECT exception FROM runs") == [("KeyError: 'x'",)]


def test_python_itself_says_the_same(scripts: Scripts) -> None:
    for source in ("raise ValueError(1, 2.5, None)", "1 / 0"):
        scripts.write("script.py", source)
        last = scripts.plain("script.py").stderr.decode().splitlines()[-1]
        scripts.record("script.py")
        assert scripts.query("SELECT exception FROM runs ORDER BY id DESC LIMIT 1") == [(last,)]
