"""Where the value that a write stores comes from."""

from __future__ import annotations

from opcodetrace.analyse.evidence import Evidence, gather
from opcodetrace.trace.call import Call
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.site import ArgumentFlows, Code, Flow, Operation, Signature
from tests.analyse.hand_built import ADD, ENTER, READ, Story, pairs
from tests.analyse.programs import trace_of
from tests.traces import make_site

LOAD2, STORE2, SET_PREV, SET_CUR, USE_CUR, USE_PREV = range(10, 16)
PREV, CUR = 0, 1


def test_read_in_the_same_activation() -> None:
    story = Story()
    read = story.read(0, 0)
    write = story.write(0, 1)
    findings = story.gather()
    assert findings.sources == {write: read}
    assert findings.sources.certainties() == {write: Certainty.PROVEN}


def test_own_write_in_a_loop() -> None:
    """`n += 1; c[0] = n`: the second write goes on from the first, whatever came between."""
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(writes=(STORE2,))))
    first = story.write(0, 1, STORE2)
    other_read = story.read(1, 1)
    other = story.write(1, 2)
    second = story.write(0, 2, STORE2)
    findings = story.gather()
    assert findings.sources == {other: other_read, second: first}
    assert pairs(findings) == [(other, second)]
    assert findings.lost[0].read is None  # nobody read: the thread had the value at hand
    assert findings.lost[0].source_read == other_read


def test_newest_of_a_read_and_an_own_write() -> None:
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(reads=(READ,), writes=(STORE2,))))
    story.read(0, 0)
    first = story.write(0, 1, STORE2)
    second = story.write(0, 2, STORE2)
    read = story.read(0, 2)
    third = story.write(0, 3, STORE2)
    assert {seq: story.gather().sources[seq] for seq in (second, third)} == {second: first, third: read}


def test_another_location_is_no_source() -> None:
    story = Story()
    story.read(0, 0, location=0)
    story.read(0, 5, location=1)
    write = story.write(0, 1, location=0)  # the newest value read at that site came from location 1
    assert write not in story.gather().sources


def test_recursion_keeps_activations_apart() -> None:
    story = Story()
    story.enter(0, frame=1)
    outer_read = story.read(0, 0, frame=1)
    story.enter(0, frame=2)
    inner_read = story.read(0, 0, frame=2)
    inner = story.write(0, 1, frame=2)
    outer = story.write(0, 1, frame=1)
    findings = story.gather()
    assert findings.sources == {inner: inner_read, outer: outer_read}
    assert pairs(findings) == []  # the thread overwrites what it wrote itself


def test_reused_frame_address_is_a_new_activation() -> None:
    story = Story()
    story.enter(0, frame=1)
    story.read(0, 0, frame=1)
    story.enter(1, frame=1)  # another thread's frame, where the first one's was
    write = story.write(1, 1, frame=1)
    assert write not in story.gather().sources


def test_without_enter_the_frame_address_is_all() -> None:
    story = Story()
    read = story.read(0, 0, frame=1)
    story.read(0, 0, frame=2)
    assert story.gather().sources == {}
    write = story.write(0, 1, frame=1)
    assert story.gather().sources == {write: read}


def test_previous_and_current_value() -> None:
    """`prev = cur; cur = c[0]` in a loop: what was read two rounds ago is in prev."""
    story = Story(
        make_site(SET_PREV, Operation.DEFINE, Flow(phis=(CUR,)), PREV),
        make_site(SET_CUR, Operation.DEFINE, Flow(reads=(READ,)), CUR),
        make_site(USE_CUR, Operation.STORE_SUBSCR, Flow(phis=(CUR,))),
        make_site(USE_PREV, Operation.STORE_SUBSCR, Flow(phis=(PREV,))),
    )
    reads = []
    for _ in range(3):
        story.define(0, SET_PREV)
        reads.append(story.read(0, 0))
        story.define(0, SET_CUR)
    use_prev = story.write(0, 0, USE_PREV)
    use_cur = story.write(0, 0, USE_CUR)
    assert story.gather().sources == {use_prev: reads[1], use_cur: reads[2]}


def test_copied_variable_is_its_own() -> None:
    """After `prev = cur` a change of cur does not reach prev, nor the other way round."""
    story = Story(
        make_site(SET_PREV, Operation.DEFINE, Flow(phis=(CUR,)), PREV),
        make_site(SET_CUR, Operation.DEFINE, Flow(reads=(READ,), phis=(CUR,)), CUR),
        make_site(USE_PREV, Operation.STORE_SUBSCR, Flow(phis=(PREV,))),
    )
    first = story.read(0, 0)
    story.define(0, SET_CUR)
    story.define(0, SET_PREV)
    story.read(0, 0)
    story.define(0, SET_CUR)  # cur = cur + c[0]
    write = story.write(0, 0, USE_PREV)
    assert story.gather().sources == {write: first}


def test_variable_that_is_not_assigned_has_no_source() -> None:
    story = Story(
        make_site(SET_CUR, Operation.DEFINE, Flow(reads=(READ,)), CUR),
        make_site(USE_CUR, Operation.STORE_SUBSCR, Flow(phis=(CUR,))),
    )
    story.enter(0)
    story.read(0, 0)
    story.define(0, SET_CUR)
    story.enter(0)
    story.write(0, 0, USE_CUR)
    assert story.gather().sources == {}


def test_through_a_call_is_inferred() -> None:
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(called_reads=(READ,))))
    read = story.read(0, 0)
    story.read(0, 0, site=LOAD2)
    write = story.write(0, 1, STORE2)
    findings = story.gather()
    assert findings.sources == {write: read}
    assert findings.sources.certainties() == {write: Certainty.INFERRED}


def test_data_flow_goes_before_what_is_inferred() -> None:
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(reads=(READ,), called_reads=(LOAD2,), opaque=True)))
    read = story.read(0, 0)
    story.read(0, 0, site=LOAD2)
    write = story.write(0, 1, STORE2)
    findings = story.gather()
    assert findings.sources == {write: read}
    assert findings.sources.certainties() == {write: Certainty.PROVEN}


def test_a_value_that_could_not_be_followed_may_be_of_what_its_own_activation_read() -> None:
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(opaque=True)))
    story.enter(0, frame=1)
    story.read(0, 0, frame=1)
    story.enter(0, frame=2)
    story.write(0, 1, STORE2, frame=2)  # another activation read that
    story.read(1, 0)  # and another thread that
    read = story.read(0, 1, frame=2)
    second = story.write(0, 2, STORE2, frame=2)
    story.write(0, 3, STORE2, frame=2)  # no read since the own write: blind
    findings = story.gather()
    assert findings.sources == {second: read}
    assert findings.sources.certainties() == {second: Certainty.INFERRED}


def calls(story: Story, *made: tuple[int, int | None, int | None]) -> Evidence:
    """The findings, where the activation that began at `seq` was called by that of `caller`, at the offset `place`."""
    trace = trace_of(story.events, story.sites.values())
    code = Code(0, 0, "f", 1, tuple(story.sites.values()), ())
    takes = Signature(("self", "value"), 2)
    given = ArgumentFlows(6, "g", (Flow(reads=(READ,)),), (), Flow(), Flow())
    trace.codes.append(code._replace(signature=takes, returned=Flow(reads=(READ,)), given=(given,), function="A.g"))
    trace.site_codes.update(dict.fromkeys(story.sites, trace.codes[0]))
    frames = {event.seq: event.frame for event in story.events}
    trace.calls += [Call(seq, 0, ENTER, frames[seq], caller, None, place) for seq, caller, place in made]
    return gather(trace)


def test_what_a_call_gave_back_is_made_of_what_it_read() -> None:
    """`c[0] = get() + 1`"""
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(results=(4,))))
    outer = story.enter(0, frame=1)
    inner = story.enter(0, frame=2)
    read = story.read(0, 0, frame=2)
    first = story.write(0, 1, STORE2, frame=1)
    again = story.enter(0, frame=2)
    story.read(0, 0, frame=2, location=1)  # this time it read something else
    story.write(0, 2, STORE2, frame=1)
    findings = calls(story, (outer, None, None), (inner, outer, 4), (again, outer, 4))
    assert findings.sources == {first: read}
    assert findings.sources.certainties() == {first: Certainty.INFERRED}


def test_another_call_gave_back_something_else() -> None:
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(results=(4,))))
    outer = story.enter(0, frame=1)
    inner = story.enter(0, frame=2)
    story.read(0, 0, frame=2)
    story.write(0, 1, STORE2, frame=1)
    assert calls(story, (outer, None, None), (inner, outer, 8)).sources == {}


def test_what_an_argument_was_made_of() -> None:
    """`g(c[0] + 1)` and `def g(self, value): c[0] = value`, but not what becomes `self`."""
    for slot, found in ((1, True), (0, False)):
        story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(parameters=(slot,))))
        outer = story.enter(0, frame=1)
        read = story.read(0, 0, frame=1)
        inner = story.enter(0, frame=2)
        write = story.write(0, 1, STORE2, frame=2)
        assert calls(story, (outer, None, None), (inner, outer, 6)).sources == ({write: read} if found else {})
        assert calls(story, (outer, None, None), (inner, outer, 4)).sources == {}


def test_what_was_tested_is_the_source_unless_it_was_written_since() -> None:
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow(tested=(READ,))))
    read = story.read(0, 0)
    first = story.write(0, 1, STORE2)
    story.write(0, 2, STORE2)
    findings = story.gather()
    assert findings.sources == {first: read}
    assert findings.sources.certainties() == {first: Certainty.INFERRED}


def test_a_variable_that_was_chosen_by_a_test() -> None:
    """`n = d.get(k)`, `if n is None: n = 0`, `d[k] = n + 1`"""
    story = Story(
        make_site(SET_CUR, Operation.DEFINE, Flow(tested=(READ,)), CUR),
        make_site(USE_CUR, Operation.STORE_SUBSCR, Flow(phis=(CUR,))),
    )
    read = story.read(0, 0)
    story.define(0, SET_CUR)
    write = story.write(0, 1, USE_CUR)
    assert story.gather().sources == {write: read}


def test_known_value_does_not_fall_back() -> None:
    """`while not flag: ...; flag = True`: whatever was read before, a constant is blind."""
    story = Story(make_site(STORE2, Operation.STORE_SUBSCR, Flow()))
    story.read(0, False)
    story.write(0, True, STORE2)
    assert story.gather().sources == {}


def test_long_sum_takes_linear_time() -> None:
    """`total += c[i]` over many cells: the variable's labels grow, but are not copied in each round."""
    cells = 20_000
    story = Story(
        make_site(SET_CUR, Operation.DEFINE, Flow(reads=(READ,), phis=(CUR,)), CUR),
        make_site(USE_CUR, Operation.STORE_SUBSCR, Flow(phis=(CUR,))),
    )
    for cell in range(cells):
        story.read(0, cell, location=cell)
        story.define(0, SET_CUR)
    write = story.write(0, 1, USE_CUR, location=7)
    assert story.gather().sources == {write: 14}


def test_write_of_an_unknown_site_is_not_taken_for_blind() -> None:
    story = Story(make_site(ADD, Operation.STORE_SUBSCR, None))
    read = story.read(0, 0)
    write = story.write(0, 1)
    findings = story.gather()
    assert findings.sources == {write: read}
    assert findings.sources.certainties() == {write: Certainty.INFERRED}


def test_a_call_s_site_reads_only_what_it_read_in_the_same_step() -> None:
    """`table.update(n=value)` in a loop: what an earlier turn wrote at the site is no read of it."""
    story = Story(make_site(STORE2, Operation.CALL, Flow(reads=(STORE2,), opaque=True)))
    first_read = story.read(0, 0)
    first = story.write(0, 1, STORE2)
    other_read = story.read(1, 1)
    other = story.write(1, 2)
    read = story.read(0, 2)
    second = story.write(0, 3, STORE2)
    findings = story.gather()
    assert findings.sources == {first: first_read, other: other_read, second: read}
    assert findings.sources.certainties()[second] == Certainty.INFERRED
    assert findings.lost == []


def test_a_call_that_reads_and_writes_in_one_step() -> None:
    """`list.append`, `dict.pop`: the version that it makes comes from the one that it read."""
    story = Story(make_site(STORE2, Operation.CALL, Flow(reads=(STORE2,))))
    first_read = story.read(0, 0, STORE2)
    first = story.write(0, 1, STORE2)
    read = story.read(0, 2, STORE2)
    second = story.write(0, 3, STORE2)
    blind = story.write(0, 4, STORE2)  # it read nothing this time
    findings = story.gather()
    assert findings.sources == {first: first_read, second: read}
    assert set(findings.sources.certainties()) == {first, second}
    assert blind not in findings.sources
