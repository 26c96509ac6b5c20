"""Which accesses may be to locations that threads share: every shared one is among them, and few others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.ingest import _candidates
from opcodetrace.ingest.failed_iterations import FailedIterations
from opcodetrace.ingest.identity import Aliases
from opcodetrace.ingest.row_hash import FIRST_SALT, SECOND_SALT
from opcodetrace.ingest.site_table import SiteTable
from opcodetrace.ingest.values import ADDRESS_MASK, Interned
from opcodetrace.spool.records import CHUNK, RECORD_DTYPE, Records, SpooledRecords, Survey
from opcodetrace.trace.event import EventKind

Array = npt.NDArray[Any]

SHARED = 3 << 30  # of a bucket, as _candidates.c has it
MIN_BUCKET_BITS, MAX_BUCKET_BITS = 10, 24
ROWS = 4 * CHUNK  # as many are looked at together


@dataclass(frozen=True, slots=True)
class Candidates:
    """Some of the accesses of a window."""

    window: SpooledRecords
    which: Array  # bool, a mask of all records
    count: int
    by_site: Array | None  # how many accesses there are at each site, candidates or not; None: all are candidates
    in_globals: Sequence[tuple[int, int]]  # where pieces begin and end that have accesses in a module's globals
    failed: FailedIterations | None = None  # it has the containers that some records do not name

    @classmethod
    def all_of(cls, window: SpooledRecords, seen: Survey) -> Candidates:
        """All accesses."""
        which = seen.kinds - np.uint8(EventKind.READ) <= EventKind.DELETE - EventKind.READ
        return cls(window, which, int(which.sum()), None, [(window.first, window.stop)])

    @classmethod
    def of(
        cls,
        window: SpooledRecords,
        seen: Survey,
        table: SiteTable,
        interned: Interned,
        aliases: Aliases,
        asked: Array | None = None,
    ) -> Candidates:
        """Those that may be to a location that two threads touched and one wrote, or to one of which an access is
        `asked` for, by its seq.

        Containers and keys are hashed into buckets; a bucket that one thread alone touched, or none wrote, holds
        nothing shared. Families and generations only tell apart what has the same address, so they can wait."""
        bits = min(MAX_BUCKET_BITS, max(MIN_BUCKET_BITS, len(window).bit_length()))
        found = np.zeros(1 << bits, np.uint32)
        buckets = np.empty(len(window), np.uint32)
        by_site = np.zeros(len(table.family), np.int64)
        in_globals = []
        texts, lowest = interned.text_table()
        for start, chunk in window.chunks():
            part = slice(start - seen.first, start - seen.first + len(chunk))
            if _candidates.touch(
                *(chunk, seen.kinds[part], table.name, table.plain_global, texts, lowest, aliases.addresses),
                *((FIRST_SALT, SECOND_SALT), found, buckets[part], by_site),
            ):
                in_globals.append((start, start + len(chunk)))
        if asked is not None and len(asked):
            of_asked = buckets[asked - seen.first]
            found[of_asked[of_asked < len(found)]] = SHARED
        which = np.empty(len(window), bool)
        return cls(window, which, _candidates.shared(buckets, found, which), by_site, in_globals)

    def with_all_of(self, failed: FailedIterations, seen: Survey) -> Candidates:
        """These, and all accesses of the containers whose iteration failed."""
        named, _ = failed.named
        for start, chunk in self.window.chunks() if len(failed.addresses) else ():
            part = slice(start - seen.first, start - seen.first + len(chunk))
            is_access = seen.kinds[part] - np.uint8(EventKind.READ) <= EventKind.DELETE - EventKind.READ
            self.which[part] |= is_access & np.isin(chunk["container"] & np.uint64(ADDRESS_MASK), failed.addresses)
        self.which[named - seen.first] = True
        self.which[failed.nameless - seen.first] = False
        return replace(self, count=int(self.which.sum()), failed=failed)

    def rows(self, *, in_globals: bool = False) -> Iterator[tuple[Array, Records]]:
        """The seqs and records, many at a time; of all pieces, or of those with accesses in a module's globals.

        Both arrays are overwritten by the next ones."""
        seqs, rows = np.empty(ROWS, np.int64), np.empty(ROWS, RECORD_DTYPE)
        count = 0
        ranges = self.in_globals if in_globals else [(self.window.first, self.window.stop)]
        for start, chunk in itertools.chain.from_iterable(itertools.starmap(self.window.chunks, ranges)):
            if ROWS - count < len(chunk):
                yield self._named(seqs[:count], rows[:count])
                count = 0
            which = self.which[start - self.window.first :][: len(chunk)]
            count = _candidates.gather(chunk, which, start, rows, seqs, count)
        if count:
            yield self._named(seqs[:count], rows[:count])

    def _named(self, seqs: Array, rows: Records) -> tuple[Array, Records]:
        """With the containers of failed iterations that their records do not name."""
        if self.failed is not None:
            named, containers = self.failed.named
            _, at, which = np.intersect1d(seqs, named, assume_unique=True, return_indices=True)
            rows["container"][at] = containers[which]
        return seqs, rows
