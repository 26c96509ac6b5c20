"""Write skew: two threads each checked what the other one then changed, and both acted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opcodetrace.analyse.evidence import Evidence
from opcodetrace.analyse.write_skews import write_skews
from opcodetrace.findings.protocol import Kind
from opcodetrace.trace.finding import Certainty, Finding, Severity
from opcodetrace.trace.finding_kind import Mark, Role, Teller

NAME = "write skew"
CHECK = "check"
ACT = "act"
OTHER_CHECK = "other check"
OTHER_ACT = "other act"


class WriteSkewKind(Kind):
    """See `analyse.write_skews`."""

    name = NAME
    claim = (
        "Two threads each checked what the other one then changed, and wrote something else by that. One after the "
        "other, only one of them would have."
    )
    roles = (
        Role(CHECK, "the check of the thread that wrote first", groups=True),
        Role(OTHER_CHECK, "the other thread's check, of what the first one wrote", groups=True),
        Role(ACT, "what the first thread wrote", Mark.WARNING, True),
        Role(OTHER_ACT, "what the other thread wrote, of what the first one had checked", Mark.WRONG, True),
    )
    pivot = ACT
    in_order = False

    def find(self, evidence: Evidence) -> Iterator[Finding]:
        for each in write_skews(evidence):
            roles = {
                CHECK: each.check,
                OTHER_CHECK: each.other_check,
                ACT: each.act,
                OTHER_ACT: each.other_act,
            }
            yield Finding(NAME, Severity.HAPPENED, Certainty.PROVEN, roles, each.locations)

    def heading(self, what: str, places: Mapping[str, str]) -> str:
        return (
            f"{what} written at {places[ACT]} by the check at {places[CHECK]}, whose answer was changed at "
            f"{places[OTHER_ACT]} by the check at {places[OTHER_CHECK]}"
        )

    def sentences(self, teller: Teller) -> Iterable[str]:
        check, act, other_check, other_act = (teller.step(role) for role in (CHECK, ACT, OTHER_CHECK, OTHER_ACT))
        if check is None or act is None or other_check is None or other_act is None:
            return
        one, other = teller.lane(act.thread), teller.lane(other_act.thread)
        yield (
            f"{one} checked ({teller.place(check.site)}) and {teller.did(act)} to {teller.label}. {other} had checked "
            f"before that ({teller.place(other_check.site)}), and {teller.did(other_act)} to what {one} had checked."
        )
        yield (
            "Had one of them begun after the other was done, its check would have gone otherwise: no order of the two "
            "ends so."
        )
        yield "It would be excluded if both held the same lock from check to act."

    def how_sure(self, teller: Teller) -> str:
        return "Proven: the trace shows the four accesses and their values; the code, what each check decided."

    def remark(self, role: str, teller: Teller) -> str | None:
        return "makes the other CHECK untrue" if role in (ACT, OTHER_ACT) else None


WRITE_SKEW = WriteSkewKind()
