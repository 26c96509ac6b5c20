"""Lost updates if the order is exact."""

from __future__ import annotations

import struct

import pytest

from opcodetrace.trace.event import ABSENT, Opaque, Value
from opcodetrace.trace.finding import Certainty, Severity
from opcodetrace.trace.site import Flow, Operation
from opcodetrace.trace.version import LostCount, LostUpdate, UnseenWrite
from tests.analyse.hand_built import READ, WRITE, Story, pairs
from tests.traces import make_site

POP, CALL = 20, 21


def test_two_threads() -> None:
    story = Story()
    stale = story.read(1, 0)
    own = story.read(2, 0)
    lost = story.write(2, 1)
    over = story.write(1, 1)
    findings = story.gather()
    assert findings.lost == [LostUpdate(0, lost, 2, own, over, 1, stale, Certainty.PROVEN)]
    assert findings.counts == [LostCount(0, 1, 1, overwriters=1, exhausted=False)]
    assert findings.unseen == []


@pytest.mark.parametrize("value", [7, 0.5, "text", None, Opaque("dict", 0x1000)])
def test_what_is_put_back_as_it_was_is_not_lost(value: Value) -> None:
    """But it may overwrite what another wrote meanwhile."""
    story = Story()
    story.read(1, value)
    story.read(2, value)
    story.write(2, value)
    story.write(1, value)
    assert story.gather().lost == []
    assert story.gather().counts == []
    story.read(1, value)
    story.read(2, value)
    lost = story.write(2, 1)
    over = story.write(1, value)
    assert pairs(story.gather()) == [(lost, over)]


def test_in_parallel_what_is_put_back_lowers_what_is_proven() -> None:
    story = Story()
    story.read(1, 0, earliest=0)
    story.read(2, 0, earliest=0)
    story.write(2, 0, earliest=0)
    story.write(1, 0, earliest=0)
    assert story.gather().lost == []
    assert [count.low for count in story.gather().counts] in ([], [0])


def test_one_stale_write_loses_a_thousand() -> None:
    """Thread 2 reads 0, thread 1 writes 1 to 1000, thread 2 writes 1."""
    story = Story()
    stale = story.read(2, 0)
    lost = []
    for value in range(1000):
        story.read(1, value)
        lost.append(story.write(1, value + 1))
    over = story.write(2, 1)
    findings = story.gather()
    assert pairs(findings) == [(write, over) for write in lost]
    assert all(row.read == stale for row in findings.lost)
    assert findings.counts == [LostCount(0, 1000, 1000, overwriters=1, exhausted=False)]


def test_each_lost_write_names_the_first_on_the_chain_after_it() -> None:
    story = Story()
    story.read(1, 0)
    story.read(2, 0)
    story.read(3, 0)
    first = story.write(1, 1)
    over_first = story.write(2, 1)
    story.read(2, 1)
    lost_too = story.write(3, 1)
    over_second = story.write(2, 2)
    assert pairs(story.gather()) == [(first, over_first), (lost_too, over_second)]


def test_nothing_is_lost_in_turn() -> None:
    story = Story()
    for value in range(10):
        story.read(value % 2, value)
        story.write(value % 2, value + 1)
    findings = story.gather()
    assert findings.lost == [] and findings.counts == []


def test_flag_is_blind() -> None:
    """Both set the flag: neither depends on the other, and no update is lost."""
    story = Story()
    for thread in (1, 2):
        story.read(thread, False)
    story.write(1, True, WRITE)
    story.write(2, True, WRITE)
    findings = story.gather()
    assert findings.lost == [] and findings.sources == {}


def test_check_then_act_is_no_source() -> None:
    """`if x > o.max: o.max = x`: the value comes from elsewhere."""
    story = Story()
    story.read(1, 0)
    story.read(2, 0)
    story.write(1, 9, WRITE)
    story.write(2, 5, WRITE)
    assert story.gather().lost == []


def test_blind_write_is_lost_to_a_stale_one() -> None:
    """A reset to 0 between another thread's read and write."""
    story = Story()
    stale = story.read(1, 7)
    reset = story.write(2, 0, WRITE)
    over = story.write(1, 8)
    findings = story.gather()
    assert findings.lost == [LostUpdate(0, reset, 2, None, over, 1, stale, Certainty.PROVEN)]


def test_version_before_a_blind_write_is_settled() -> None:
    story = Story()
    story.read(1, 0)
    story.write(1, 1)
    story.write(2, 0, WRITE)
    assert story.gather().lost == []


def test_deletion_settles_and_can_be_lost() -> None:
    story = Story()
    story.read(1, 0)
    kept = story.write(1, 1)
    story.read(2, 1)
    deleted = story.delete(1)
    over = story.write(2, 2)
    findings = story.gather()
    assert pairs(findings) == [(deleted, over)]
    assert kept not in {row.lost for row in findings.lost}


def test_pop_takes_the_version_that_it_removed() -> None:
    """A deletion into which a read flows: what it removed is an ancestor."""
    story = Story(make_site(POP, Operation.DELETE_SUBSCR, Flow(reads=(READ,))))
    story.read(1, 0)
    write = story.write(1, 1)
    read = story.read(2, 1)
    pop = story.delete(2, POP)
    story.write(1, 5, WRITE)
    findings = story.gather()
    assert findings.sources[pop] == read
    assert findings.lost == []
    assert write < pop


def test_inferred_source_makes_an_inferred_finding() -> None:
    story = Story(make_site(CALL, Operation.STORE_SUBSCR, Flow(called_reads=(READ,))))
    story.read(1, 0)
    story.read(2, 0)
    story.write(1, 1)
    story.write(2, 1, CALL)
    assert [row.certainty for row in story.gather().lost] == [Certainty.INFERRED]


def test_locations_are_apart() -> None:
    story = Story()
    story.read(1, 0, location=1)
    story.read(2, 0, location=2)
    story.write(2, 1, location=2)
    story.write(1, 1, location=1)
    assert story.gather().lost == []


def test_uncertain_identity_makes_no_finding() -> None:
    story = Story()
    story.read(1, 0)
    story.read(2, 0)
    story.write(2, 1)
    story.write(1, 1)
    story.read(1, 99)
    findings = story.gather(uncertain=(0,))
    assert findings.lost == [] and findings.counts == [] and findings.unseen == []
    assert findings.uncertain_locations == 1
    assert len(findings.sources) == 2
    assert story.gather().uncertain_locations == 0


def test_unseen_write_starts_anew() -> None:
    """What code that is not woven wrote settles the version before it."""
    story = Story()
    story.read(1, 0)
    story.write(1, 1)
    unseen = story.read(2, 50)
    story.write(2, 51)
    findings = story.gather()
    assert findings.unseen == [UnseenWrite(0, unseen)]
    assert findings.lost == []


def test_beside_an_unseen_write_findings_are_possible() -> None:
    story = Story()
    story.read(1, 0)
    story.read(2, 0)
    lost = story.write(2, 1)
    over = story.write(1, 1)
    story.read(1, 50)
    findings = story.gather()
    assert pairs(findings) == [(lost, over)]
    assert [row.severity for row in findings.lost] == [Severity.POSSIBLE]
    assert len(findings.unseen) == 1


def test_a_stale_write_loses_nothing_that_was_not_seen() -> None:
    """The unseen write itself is none that was recorded: it is not reported as lost."""
    story = Story()
    story.read(1, 0)
    story.read(2, 50)
    story.write(1, 1)
    findings = story.gather()
    assert findings.lost == []
    assert len(findings.unseen) == 1


NAN = float("nan")
OTHER_NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]


@pytest.mark.parametrize(
    ("written", "read", "same"),
    [
        (1, 1, True),
        (10**12, int("1000000000000"), True),
        (1, True, False),
        (0, False, False),
        (1, 1.0, False),
        (NAN, struct.unpack("<d", struct.pack("<d", NAN))[0], True),
        (NAN, OTHER_NAN, False),
        (0.0, -0.0, False),
        (None, None, True),
        ("a", "a", True),
        ("a", b"a", False),
        (Opaque("list", 1), Opaque("list", 1), True),
        (Opaque("list", 1), Opaque("list", 2), False),
        (Opaque("list", 1), Opaque("dict", 1), True),  # its __class__ was assigned
        (Opaque("list", 1), Opaque("list", None), True),
        (ABSENT, 5, True),
        (5, ABSENT, True),
    ],
)
def test_values_are_compared_by_type_and_value(written: Value, read: Value, same: bool) -> None:
    story = Story()
    story.write(0, written, WRITE)
    story.read(1, read)
    assert bool(story.gather().unseen) is not same


def test_unknown_value_is_known_once_it_was_read() -> None:
    story = Story()
    story.write(0, ABSENT, WRITE)
    story.read(1, 5)
    story.read(1, 5)
    unseen = story.read(1, 6)
    assert story.gather().unseen == [UnseenWrite(0, unseen)]


def puts_back(value: Value, between: Value | None) -> list[int]:
    """The values of lost writes, if a thread puts back what it read, though another wrote `between` meanwhile (None:
    nobody did), and a third overwrites that."""
    story = Story()
    stale = story.read(2, value)
    if between is not None:
        story.write(1, between, WRITE)
        story.read(3, between)
    else:
        story.read(3, value)
    put = story.write(2, value)
    over = story.write(3, 99)
    assert stale < put < over
    return [row.lost for row in story.gather().lost if row.lost == put]


@pytest.mark.parametrize("value", [7, "text", Opaque("list", 1)])
def test_what_is_put_back_loses_nothing(value: Value) -> None:
    assert puts_back(value, None) == []


def test_an_object_that_was_out_of_the_location_is_not_put_back_unchanged() -> None:
    assert puts_back(Opaque("list", 1), Opaque("list", 2)) != []
    assert puts_back(7, 8) == []  # a number is a number


def test_an_object_at_the_address_of_another_is_no_other_s() -> None:
    """Three objects one after the other, as `Births` numbers them: each thread writes one of its own."""
    story = Story()
    for thread in range(3):
        story.read(thread, Opaque("Node", 1))
    writes = [story.write(thread, Opaque("Node", 2 + thread)) for thread in range(3)]
    assert pairs(story.gather()) == [(writes[0], writes[2]), (writes[1], writes[2])]
