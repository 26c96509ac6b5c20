"""What lies on the stack is made of what the instruction took, on every version."""

import pytest

from opcodetrace.trace.site import Flow
from tests.rewrite.flow.woven import weave

# What is stored, and what is read on the way to it by operations alone.
VALUES = [
    ("[*d[1], x]", {"d[1]"}),
    ("[x, *d[1]]", {"d[1]"}),
    ("(*d[1], x)", {"d[1]"}),
    ("{*d[1], x}", {"d[1]"}),
    ("{**d[1], x: 1}", {"d[1]"}),
    ("{x: 1, **d[1]}", {"d[1]"}),
    ("{x: d[1]}", {"d[1]"}),
    ("f'{d[1]} {x}'", {"d[1]"}),
    ("f'{d[1]:{x}}'", {"d[1]"}),
    ("f'{x:{d[1]}}'", {"d[1]"}),
    ("+d[1]", {"d[1]"}),
    ("-d[1]", {"d[1]"}),
    ("~d[1]", {"d[1]"}),
    ("not d[1]", {"d[1]"}),
    ("d[1] < x < 5", {"d[1]"}),
    ("d[1] is x", {"d[1]"}),
    ("d[1] in x", {"d[1]"}),
    ("x[d[1]:5]", {"d[1]", "x[d[1]:5]"}),
    ("slice(1, 2) and d[1]", {"d[1]"}),
    ("x", set()),
    ("None", set()),
    ("(y := d[1]) + y", {"d[1]"}),
]


@pytest.mark.parametrize(("value", "reads"), VALUES)
def test_a_value_is_made_of_what_its_operators_take(value: str, reads: set[str]) -> None:
    woven = weave(f"def f(d, x):\n    d[1] = {value}\n")
    assert woven.reads("f") == reads


def test_what_is_sent_to_a_generator_is_not_what_it_gave() -> None:
    woven = weave("def f(d):\n    x = yield d[1]\n    d[1] = x\n")
    ((_, flow),) = woven.writes("f")
    assert flow.reads == ()
    assert woven.named(flow.called_reads) == {"d[1]"}


def test_a_caught_exception_is_of_unknown_make() -> None:
    woven = weave("def f(d):\n    try:\n        d[2]\n    except KeyError as error:\n        d[1] = error\n")
    flow = dict(woven.writes("f"))[5]
    assert flow == Flow()


@pytest.mark.parametrize(
    "body",
    [
        "async for i in ticks():\n        n = d[1]\n        await pause()\n        d[1] = n + i",
        "async for i in ticks():\n        pass\n    n = d[1]\n    await pause()\n    d[1] = n + 1",
        "n = [i async for i in ticks()]\n    n += d[1]\n    d[1] = n",
        "async with x:\n        n = d[1]\n    d[1] = n + 1",
        "n = d[1]\n    for i in x:\n        await pause()\n    d[1] = n + 1",
        "n = d[1]\n    async for i in ticks():\n        if i: break\n    else:\n        d[1] = n + 1",
    ],
)
def test_coroutines_have_data_flow(body: str) -> None:
    woven = weave(f"async def f(d, x):\n    {body}\n")
    assert all(code.unwoven is None for code in woven.codes)
    assert woven.reads("f") == {"d[1]"}
