"""Moments: what lanes held, and what they had waited for, at many of their records at once.

`lockset` and `happens_before` say that of one record after the other. Here the records of each lane are cut wherever
one of the two changes, so that a column of accesses becomes a column of small numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from opcodetrace.analyse.happens_before import Order
from opcodetrace.analyse.lockset import Held

Array = npt.NDArray[Any]

_SEQ_BITS = 46  # of a lane and a seq in one number


class Moments:
    """The records of all lanes, cut where what a lane holds changes, or its past; numbered lane by lane."""

    def __init__(self, lanes: Iterable[int], held: Sequence[Held], orders: Sequence[Order]) -> None:
        self._held = held
        begins = [_key(lane, 0) for lane in lanes]
        waits = [_key(order.other, order.until) for order in orders]
        changes = [(_key(each.thread, each.first), place) for place, each in enumerate(held)]
        changes += [
            (_key(each.thread, int(each.last)), ~place) for place, each in enumerate(held) if each.last < math.inf
        ]
        changes.sort()
        changed = np.array([key for key, _ in changes], np.int64)
        cuts = np.array([*begins, *waits], np.int64)
        keys = np.sort(np.concatenate([cuts, changed]))
        self._keys = keys[np.diff(keys, prepend=-1) > 0]
        is_past = np.zeros(len(self._keys), bool)
        is_past[np.searchsorted(self._keys, cuts)] = True
        self.past = np.cumsum(is_past)  # by moment: a number of what came before it
        self._holdings: list[tuple[int, ...]] = [()]  # places in `held`
        self._holding = self._held_at(changes, np.searchsorted(self._keys, changed), np.array(begins, np.int64))
        self.locksets: list[frozenset[int]] = []
        self._number_of: dict[frozenset[int], int] = {}
        lockset_of = np.array([self._lockset_of(places) for places in self._holdings], np.int64)
        self.lockset = lockset_of[self._holding]  # by moment: its place in `locksets`

    def _held_at(self, changes: Sequence[tuple[int, int]], at: Array, begins: Array) -> Array:
        """By moment: the place in `_holdings` of what its lane held."""
        holding = np.full(len(self._keys), -1, np.int64)
        holding[np.searchsorted(self._keys, begins)] = 0
        lane, places = -1, dict[int, None]()
        for (key, place), moment in zip(changes, at.tolist(), strict=True):
            if key >> _SEQ_BITS != lane:
                lane, places = key >> _SEQ_BITS, {}
            if place >= 0:
                places[place] = None
            else:
                places.pop(~place, None)
            holding[moment] = len(self._holdings) if places else 0
            if places:
                self._holdings.append(tuple(places))
        known = np.maximum.accumulate(np.where(holding >= 0, np.arange(len(holding)), 0))
        held_at: Array = holding[known]
        return held_at

    def at(self, lanes: Array, seqs: Array) -> Array:
        """The moments of some records."""
        keys = (lanes.astype(np.int64) << _SEQ_BITS) + seqs
        moments: Array = np.searchsorted(self._keys, keys, side="right") - 1
        return moments

    def locksets_from(self, first: Array, last: Array) -> Array:
        """What was held from one moment to another of the same lane, without a break, as places in `locksets`."""
        found = self.lockset[last]
        apart = np.flatnonzero(first != last)
        if len(apart):
            pairs = np.stack([self._holding[first[apart]], self._holding[last[apart]]])
            different, where = np.unique(pairs, axis=1, return_inverse=True)
            numbers = [
                self._lockset_of(set(self._holdings[one]) & set(self._holdings[other]))
                for one, other in different.T.tolist()
            ]
            found[apart] = np.array(numbers, np.int64)[where.reshape(-1)]
        return found

    def holdings(self, moment: int) -> Iterator[Held]:
        """What was held at a moment."""
        return (self._held[place] for place in self._holdings[int(self._holding[moment])])

    def _lockset_of(self, places: Iterable[int]) -> int:
        objects = frozenset(self._held[place].object for place in places)
        number = self._number_of.setdefault(objects, len(self.locksets))
        if number == len(self.locksets):
            self.locksets.append(objects)
        return number


def _key(lane: int, seq: int) -> int:
    return (lane << _SEQ_BITS) + seq
