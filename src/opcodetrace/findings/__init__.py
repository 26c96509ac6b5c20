"""Kinds of findings: one file a kind, and the dict of them all.

A kind (`findings.protocol.Kind`) says how it is found and how it is told. All else, from the trace file to the reports,
works on what it says of itself.
"""

from __future__ import annotations

from opcodetrace.findings.changed_while_iterated import CHANGED_WHILE_ITERATED
from opcodetrace.findings.deadlock import DEADLOCK
from opcodetrace.findings.failed_access import FAILED_ACCESS
from opcodetrace.findings.inconsistent_locking import INCONSISTENT_LOCKING
from opcodetrace.findings.intermediate_read import INTERMEDIATE_READ
from opcodetrace.findings.lost_notification import LOST_NOTIFICATION
from opcodetrace.findings.lost_update import LOST_UPDATE
from opcodetrace.findings.overwritten_before_read import OVERWRITTEN_BEFORE_READ
from opcodetrace.findings.protocol import Kind
from opcodetrace.findings.read_skew import READ_SKEW
from opcodetrace.findings.stale_check import STALE_CHECK
from opcodetrace.findings.stale_container import STALE_CONTAINER
from opcodetrace.findings.stolen_wakeup import STOLEN_WAKEUP
from opcodetrace.findings.unguarded_change import UNGUARDED_CHANGE
from opcodetrace.findings.unguarded_check import UNGUARDED_CHECK
from opcodetrace.findings.unguarded_iteration import UNGUARDED_ITERATION
from opcodetrace.findings.unguarded_own_write import UNGUARDED_OWN_WRITE
from opcodetrace.findings.unguarded_read import UNGUARDED_READ
from opcodetrace.findings.unguarded_update import UNGUARDED_UPDATE
from opcodetrace.findings.unrepeatable_read import UNREPEATABLE_READ
from opcodetrace.findings.unseen_write import UNSEEN_WRITE
from opcodetrace.findings.write_skew import WRITE_SKEW

# In the order in which they are told.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        DEADLOCK,
        LOST_NOTIFICATION,
        STOLEN_WAKEUP,
        FAILED_ACCESS,
        CHANGED_WHILE_ITERATED,
        LOST_UPDATE,
        STALE_CHECK,
        STALE_CONTAINER,
        OVERWRITTEN_BEFORE_READ,
        UNREPEATABLE_READ,
        INTERMEDIATE_READ,
        READ_SKEW,
        WRITE_SKEW,
        UNGUARDED_CHECK,
        UNGUARDED_ITERATION,
        UNGUARDED_OWN_WRITE,
        UNGUARDED_READ,
        UNGUARDED_UPDATE,
        UNGUARDED_CHANGE,
        INCONSISTENT_LOCKING,
        UNSEEN_WRITE,
    )
}
