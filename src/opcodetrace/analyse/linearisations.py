"""Locations whose accesses are known only to lie within intervals: which orders are possible, and what they agree on.

An order is consistent if (a) `e` comes before `f` if `e.seq < f.earliest`, (b) each thread's accesses come in the
order of their `seq`, (c) a read returns the value of the version before it. To decide whether one exists is NP-complete
if values repeat (Gibbons and Korach, Testing Shared Memories, 1997), so every search here has a budget. Three parts:

- `Bounds` looks at each read by itself: which writes can it have seen? That takes about linear time and bounds the
  number of lost updates in every consistent order.
- `Witness` finds one consistent order, depth first.
- `AllOrders` goes through all consistent orders at once, if the bounds disagree and the location is small enough.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from struct import pack

from opcodetrace.analyse import versions
from opcodetrace.trace.event import Event, EventKind, Opaque, Value, is_unknown
from opcodetrace.trace.finding import Certainty
from opcodetrace.trace.version import LostCount

UNKNOWN = 0  # the number of a value that is not known
NEVER = 1 << 62  # a seq after all others
INITIAL = -1  # stands for version 0 among the writes
MAX_CANDIDATES = 48  # of a read, that are told apart
MAX_ROOTS = 16  # of a chain, that are told apart


class Budget:
    """What all locations of a run may spend together, in states of a search; one state takes about 20 microseconds."""

    def __init__(self, states: int = 150_000, states_per_location: int = 40_000) -> None:
        self.states = states
        self.states_per_location = states_per_location

    def take(self) -> int:
        """The states that the next location may spend."""
        return min(self.states, self.states_per_location)


class History:
    """A location's accesses, numbered by `seq`, as parallel lists."""

    def __init__(self, events: Sequence[Event], sources: Mapping[int, int]) -> None:
        self.events = sorted(events)
        number = {event.seq: i for i, event in enumerate(self.events)}
        values: dict[object, int] = {}
        lanes: dict[int, int] = {}
        self.seq = [event.seq for event in self.events]
        self.earliest = [event.earliest for event in self.events]
        self.thread = [lanes.setdefault(event.thread, len(lanes)) for event in self.events]
        self.threads: list[list[int]] = [[] for _ in lanes]
        self.is_read = [event.kind == EventKind.READ for event in self.events]
        self.value: list[int] = []
        self.source: list[int] = []  # the access whose version flows into a write, or -1
        self.settles: list[bool] = []  # the version before it is settled
        self.last_use: dict[int, int] = {}  # of each source: the last write that it flows into
        self.writes = 0
        for i, event in enumerate(self.events):
            self.threads[self.thread[i]].append(i)
            if is_unknown(event.value) or (isinstance(event.value, Opaque) and event.value.identity is None):
                self.value.append(UNKNOWN)
            else:
                self.value.append(values.setdefault(identity(event.value), len(values) + 1))
            source = -1
            if not self.is_read[i]:
                self.writes += 1
                source = number.get(sources.get(event.seq, -1), -1)
                if source >= 0:
                    self.last_use[source] = i
            self.source.append(source)
            self.settles.append(not self.is_read[i] and (source < 0 or event.kind == EventKind.DELETE))


def identity(value: Value) -> tuple[type, object]:
    """Equal for values that `versions.same_value` holds to be the same."""
    return type(value), pack("<d", value) if isinstance(value, float) else value


class Bounds:
    """Bounds on the lost updates that hold in every consistent order.

    A read's candidates are the writes of its value that are neither forced after it nor forced to be overwritten before
    it, so whatever it saw in a consistent order is among them. By induction along program order each version's chain
    has between `fewest` and `most` writes and begins at one of `roots` (version 0, a blind write, an unseen one).
    The writes that are not lost are the chains of the settled versions. From above, they are at most all that can be
    reached from versions that may be settled, and at most the sum of the longest chains. From below, at least those
    reached without a choice from versions that must be settled; and chains with different roots share no write, so at
    least the sum, over groups of settled versions whose roots are apart, of the longest of the shortest chains.

    `unseen` are reads that returned what no write can have given them: code that is not woven wrote there. Each stands
    for a blind write (not counted) and the read, in one."""

    def __init__(self, history: History, unseen: set[int]) -> None:
        self.history = history
        self.unseen = unseen
        for _ in range(4):  # an unseen write may serve, and may overwrite, for other reads too
            known = len(unseen)
            self.sweep()
            if len(unseen) == known:
                break
        self.low, self.high = self.count()

    def sweep(self) -> None:
        """Go through the accesses by the time of their hooks; find candidates, chains, and what may be settled."""
        history, unseen = self.history, self.unseen
        earliest, seq, thread, value = history.earliest, history.seq, history.thread, history.value
        size = len(seq)
        starts = sorted((earliest[i], i) for i in range(size) if not history.is_read[i] or i in unseen)
        started = 0
        first_start = starts[0][0] if starts else None
        open_writes: set[int] = set()
        self.fewest = [0] * size
        self.most = [0] * size
        self.roots: list[frozenset[int] | None] = [frozenset()] * size  # None: any
        self.candidates: dict[int, list[int] | None] = {}  # of reads; None: any
        self.closed: list[int] = []  # writes, by seq
        closed_seq: list[int] = []
        latest_start: list[int] = []  # of the first n closed writes
        by_value: dict[int, tuple[list[int], list[int]]] = {UNKNOWN: ([], [])}  # seqs and writes
        own_last: dict[int, int] = {}
        own_start: dict[int, int] = {}
        initial = UNKNOWN
        self.settlements: list[tuple[int, int, frozenset[int] | None]] = []  # fewest, most, roots
        self.may_settle: set[int] = set()
        self.must_settle: set[int] = set()
        may_ranges: list[tuple[int, int]] = []  # of places in `closed`
        followed: set[int] = set()  # versions after which a write may come that does not settle them
        followed_ranges: list[tuple[int, int]] = []
        any_settles = any(history.settles) or bool(unseen)

        def window(i: int) -> tuple[int, bool]:
            """Closed writes with a lower seq are overwritten before `i`; whether version 0 is not."""
            forced = bisect_left(closed_seq, earliest[i])
            lowest = latest_start[forced - 1] if forced else -1
            t = thread[i]
            if t in own_last:
                return max(lowest, own_start[t]), False
            return lowest, not forced

        def before(i: int) -> tuple[int, list[int], bool]:
            """The versions that may come right before write `i`: `closed` from a place on, these others, version 0."""
            lowest, from_start = window(i)
            others = [w for w in open_writes if w != i and thread[w] != thread[i]]
            return bisect_left(closed_seq, lowest), others, from_start

        def settle(i: int, first: int, others: list[int], from_start: bool) -> None:
            last = len(self.closed)
            may_ranges.append((first, last))
            self.may_settle.update(others)
            if last - first > MAX_CANDIDATES:
                self.settlements.append((0, history.writes, None))
                return
            chosen = self.closed[first:last] + others + ([INITIAL] if from_start else [])
            if not chosen:
                return
            if len(chosen) == 1:
                self.must_settle.add(chosen[0])
            self.settlements.append(self.chains(chosen, i))

        for i in range(size):
            now = seq[i]
            while started < len(starts) and starts[started][0] <= now:
                open_writes.add(starts[started][1])
                started += 1
            writes = not history.is_read[i] or i in unseen
            if history.is_read[i] and not writes:
                lowest, from_start = window(i)
                wanted = value[i]
                t = thread[i]
                found: list[int] | None = []
                many = False
                if wanted == UNKNOWN:
                    place = bisect_left(closed_seq, lowest)
                    many = len(self.closed) - place > MAX_CANDIDATES
                    if not many:
                        found = self.closed[place:]
                else:
                    for some in (wanted, UNKNOWN):
                        if some in by_value:
                            seqs, those = by_value[some]
                            place = bisect_left(seqs, lowest)
                            many |= len(those) - place > MAX_CANDIDATES
                            if not many and place < len(those):
                                found = found + those[place:] if found else those[place:]
                if many or found is None:
                    found = None
                else:
                    if len(found) > 1 and t in own_last:
                        found = [w for w in found if thread[w] != t or w == own_last[t]]
                    for w in open_writes:
                        if thread[w] != t and (wanted in (UNKNOWN, value[w]) or value[w] == UNKNOWN):
                            found.append(w)
                    if from_start:
                        if initial == UNKNOWN and (first_start is None or now < first_start):
                            initial = wanted
                        if wanted == UNKNOWN or initial in (UNKNOWN, wanted):
                            found.append(INITIAL)
                    if not found:
                        unseen.add(i)
                        writes = True
                if not writes:
                    self.candidates[i] = found
                    if i in history.last_use:
                        if found is None:
                            self.fewest[i], self.most[i], self.roots[i] = 0, history.writes, None
                        else:
                            self.fewest[i], self.most[i], self.roots[i] = self.chains(found, i)
                    continue
            if history.is_read[i]:
                self.fewest[i], self.most[i], self.roots[i] = 0, 0, frozenset((i,))
                self.candidates[i] = [i]
            else:
                self.fewest[i], self.most[i], self.roots[i] = self.chain(i, i)
            open_writes.discard(i)
            if any_settles:
                place, others, from_start = before(i)
                if history.settles[i] or i in unseen:
                    settle(i, place, others, from_start)
                else:
                    followed_ranges.append((place, len(self.closed)))
                    followed.update(others)
            self.closed.append(i)
            closed_seq.append(now)
            latest_start.append(max(earliest[i], latest_start[-1]) if latest_start else earliest[i])
            seqs, those = by_value.setdefault(value[i], ([], []))
            seqs.append(now)
            those.append(i)
            t = thread[i]
            own_last[t] = i
            own_start[t] = max(earliest[i], own_start.get(t, -1))

        # The last version of all; a read after all writes tells which.
        end = size - 1
        if size and self.closed and end in self.candidates and end not in unseen and earliest[end] > closed_seq[-1]:
            last = self.candidates[end]
            if last is not None:
                self.may_settle.update(last)
                self.settlements.append(self.chains(last, size))
                if len(last) == 1:
                    self.must_settle.add(last[0])
            else:
                may_ranges.append((0, len(self.closed)))
                self.settlements.append((0, history.writes, None))
        elif self.closed:
            place = bisect_left(closed_seq, latest_start[-1])
            final = {own_last[t] for t in own_last}
            lasts = [w for w in self.closed[place:] if w in final]
            self.may_settle.update(lasts)
            self.settlements.append(self.chains(lasts, size))
            if len(lasts) == 1:
                self.must_settle.add(lasts[0])

        self.may_settle.update(self.among(may_ranges, inside=True))
        if any_settles:
            self.must_settle.update(self.among(followed_ranges, inside=False) - followed)

    def among(self, ranges: list[tuple[int, int]], inside: bool) -> set[int]:
        """The closed writes whose place lies in any of the ranges, or in none."""
        change = [0] * (len(self.closed) + 1)
        for first, last in ranges:
            change[first] += 1
            change[last] -= 1
        return {w for w, depth in zip(self.closed, accumulate(change), strict=False) if (depth > 0) == inside}

    def chain(self, write: int, now: int) -> tuple[int, int, frozenset[int] | None]:
        """Fewest and most writes on the chain of a write's version, and its roots; accesses before `now` are known."""
        history = self.history
        if write < now or history.is_read[write]:
            if history.is_read[write] and write >= now:
                return 0, 0, frozenset((write,))
            return self.fewest[write], self.most[write], self.roots[write]
        source = history.source[write]
        if source < 0:
            return 1, 1, frozenset((write,))
        if source >= now:
            return 1, history.writes, None
        return self.fewest[source] + 1, self.most[source] + 1, self.roots[source]

    def chains(self, writes: list[int], now: int) -> tuple[int, int, frozenset[int] | None]:
        """The same for whichever of the writes it is."""
        fewest, most = self.history.writes, 0
        roots: frozenset[int] | None = frozenset()
        for write in writes:
            few, many, some = (0, 0, frozenset((INITIAL,))) if write == INITIAL else self.chain(write, now)
            fewest, most = min(fewest, few), max(most, many)
            if roots is not some:
                roots = None if roots is None or some is None else roots | some
        if roots is not None and len(roots) > MAX_ROOTS:
            roots = None
        return fewest, most, roots

    def count(self) -> tuple[int, int]:
        """The fewest and the most lost updates."""
        writes = self.history.writes
        most = min(len(self.reach(self.may_settle, only=False)), sum(most for _, most, _ in self.settlements))
        fewest = max(len(self.reach(self.must_settle, only=True)), self.apart())
        return max(0, writes - most), min(writes, writes - fewest)

    def reach(self, settled: set[int], only: bool) -> set[int]:
        """Writes on the chains of `settled`: all that may be, or those reached without a choice."""
        history = self.history
        reached = set()
        pending = list(settled)
        while pending:
            write = pending.pop()
            if write in reached or write == INITIAL or history.is_read[write]:
                continue
            reached.add(write)
            source = history.source[write]
            if source < 0:
                continue
            if not history.is_read[source]:
                pending.append(source)
                continue
            found = self.candidates[source]
            if found is None:
                if not only:
                    return {i for i in range(len(history.seq)) if not history.is_read[i]}
            elif not only or len(found) == 1:
                pending += found
        return reached

    def apart(self) -> int:
        """Writes that the settled versions' chains have at least, counting once if chains may share their root."""
        if any(roots is None for _, _, roots in self.settlements):
            return max((fewest for fewest, _, _ in self.settlements), default=0)
        group: dict[int, int] = {}

        def find(root: int) -> int:
            while group.setdefault(root, root) != root:
                group[root] = group[group[root]]
                root = group[root]
            return root

        for _, _, roots in self.settlements:
            first, *others = map(find, roots or ())
            for other in others:
                group[find(other)] = find(first)
        longest: dict[int, int] = {}
        for fewest, _, roots in self.settlements:
            root = find(next(iter(roots or ())))
            longest[root] = max(longest.get(root, 0), fewest)
        return sum(longest.values())


class Witness:
    """One consistent order, depth first. A read that can see its value at once does: that never spoils an order
    (Wing and Gong's search for linearizations, 1993, with the register's shortcut). States are met once.

    If no way leads on, the order that got furthest is taken, and its next read is said to see an unseen write: with
    proof if all ways were tried, else `exhausted`."""

    def __init__(
        self, history: History, candidates: Mapping[int, list[int] | None], unseen: set[int], steps: int
    ) -> None:
        self.history = history
        self.candidates = candidates
        self.done = bytearray(len(history.seq) + 1)  # the last is version 0's: a write has come
        self.writes_done = 0
        self.order: list[int] = []
        self.exhausted = False
        self.forced: set[int] = set()  # reads found to see an unseen write, beside those given
        self.run(unseen, steps)

    def run(self, given: set[int], steps: int) -> None:
        history, order = self.history, self.order
        earliest, seq, value, is_read, thread = (
            history.earliest,
            history.seq,
            history.value,
            history.is_read,
            history.thread,
        )
        unseen = set(given)
        threads = history.threads
        due_write = [NEVER] * len(seq)  # the seq of the thread's next write, here or later
        for those in threads:
            due = NEVER
            for i in reversed(those):
                if not is_read[i] or i in unseen:
                    due = seq[i]
                due_write[i] = due
        ready = [-1] * (len(seq) + 1)  # of a write: when the last read began that can have seen no other
        for i, writes in self.candidates.items():
            if writes is not None and len(writes) == 1 and i not in unseen:
                ready[writes[0]] = max(ready[writes[0]], earliest[i])
        place = [0] * len(threads)
        waiting = sorted(range(len(threads)), key=lambda t: min(earliest[i] for i in threads[t]), reverse=True)
        begins = [min(earliest[i] for i in those) for those in threads]
        heads: dict[int, int] = {}  # thread: its next access
        current = UNKNOWN
        size = len(seq)
        choices: list[tuple[int, int, list[int]]] = []  # length of the order, value, accesses still to try
        met: set[tuple[int, ...]] = set()
        furthest, kept = -1, 0
        tail: list[int] = []  # the longest dead end is order[:kept] + reversed(tail)

        while len(order) < size:
            horizon = min([seq[i] for i in heads.values()]) if heads else -1
            while waiting and (not heads or begins[waiting[-1]] <= horizon):
                t = waiting.pop()
                heads[t] = threads[t][place[t]]
                horizon = min([seq[i] for i in heads.values()])
            step = -1
            possible: list[int] = []
            for i in heads.values():
                if earliest[i] <= horizon:
                    if not is_read[i] or i in unseen:
                        possible.append(i)
                    elif value[i] in (current, UNKNOWN):
                        step = i
                        break
                    elif current == UNKNOWN:
                        possible.append(i)
            if step < 0 and possible:
                for i in heads.values():
                    if is_read[i] and i not in unseen and not self.hopeful(i):
                        possible = []
                        break
                if possible:
                    # Another write that is to come before a write's only reader comes before the write.
                    coming = sorted([(due_write[i], i) for i in heads.values()])[:2]
                    soonest, at = coming[0]
                    second = coming[1][0] if len(coming) > 1 else NEVER
                    possible = [i for i in possible if ready[i] <= (second if i == at else soonest)]
                if len(possible) > 1:
                    state = (current, *place)
                    if state in met:
                        possible = []
                    else:
                        met.add(state)
                        possible.sort(reverse=True)  # by seq: the last is tried first
                        choices.append((len(order), current, possible))
                if possible:
                    step = possible.pop()
            if step < 0:  # a dead end
                if len(order) > furthest:
                    furthest, kept, tail = len(order), len(order), []
                while choices and not choices[-1][2]:
                    choices.pop()
                give_up = steps <= 0 and bool(choices)
                if choices and not give_up:
                    length, current, possible = choices[-1]
                    step = possible.pop()
                else:
                    length = kept
                while len(order) > length:
                    i = order.pop()
                    t = thread[i]
                    place[t] -= 1
                    heads[t] = i
                    self.done[i] = 0
                    self.writes_done -= not is_read[i]
                    self.done[INITIAL] = self.writes_done > 0
                    if len(order) < kept:
                        kept -= 1
                        tail.append(i)
                if step < 0:
                    self.exhausted |= give_up
                    for i in reversed(tail):
                        order.append(i)
                        self.advance(i, place, heads)
                    current = self.value_after(order)
                    hopeless = [i for i in heads.values() if is_read[i] and i not in unseen and not self.hopeful(i)]
                    if not hopeless and any(ready[i] >= 0 for i in heads.values()):
                        for i in heads.values():  # let them go on, to see which read that leaves without a write
                            ready[i] = -1
                    else:
                        stuck = min(hopeless or heads.values())
                        unseen.add(stuck)
                        self.forced.add(stuck)
                    choices.clear()
                    met.clear()
                    furthest = -1
                    continue
            if furthest >= 0:
                steps -= 1
                if len(order) > furthest:
                    furthest = -1
            if not is_read[step] or value[step] != UNKNOWN:
                current = value[step]
            order.append(step)
            self.advance(step, place, heads)

    def hopeful(self, read: int) -> bool:
        """Whether a write that a read may see is still to come, when the current version must give way to one."""
        candidates = self.candidates[read]
        if candidates is None:
            return True
        done = self.done
        for write in candidates:  # noqa: SIM110
            if not done[write]:
                return True
        return False

    def advance(self, i: int, place: list[int], heads: dict[int, int]) -> None:
        t = self.history.thread[i]
        those = self.history.threads[t]
        place[t] += 1
        self.done[i] = 1
        self.writes_done += not self.history.is_read[i]
        self.done[INITIAL] = self.writes_done > 0
        if place[t] < len(those):
            heads[t] = those[place[t]]
        else:
            del heads[t]

    def value_after(self, order: list[int]) -> int:
        """The number of the value that the last access of an order leaves there."""
        for i in reversed(order):
            if not self.history.is_read[i] or self.history.value[i] != UNKNOWN:
                return self.history.value[i]
        return UNKNOWN


Chain = tuple[tuple[int, int], ...]  # from the root: (name, writes) of each piece that may be shared
# Each thread's place, the value, the current version's chain, and the chains of pending sources.
State = tuple[tuple[int, ...], int, Chain, tuple[tuple[int, Chain], ...]]


class AllOrders:
    """Goes through all consistent orders at once, one access at a time: states that can no longer differ are one.

    A state holds each thread's place, the current value, and of the current version and each version that a later write
    may have as its source the writes on its chain that are not yet known to be kept, with what the chains share.
    `low` and `high` are None if the states were more than the budget, or no order is consistent."""

    def __init__(self, history: History, unseen: set[int], states: int) -> None:
        self.history = history
        self.unseen = unseen
        self.shared = any(history.settles) or bool(unseen)  # else only the last chain counts
        self.low: int | None = None
        self.high: int | None = None
        self.spent = 0
        layer: dict[State, tuple[int, int]] = {((0,) * len(history.threads), UNKNOWN, (), ()): (0, 0)}
        if len(history.seq) > states:
            return
        for _ in history.seq:
            following: dict[State, tuple[int, int]] = {}
            for state, (fewest, most) in layer.items():
                for i in self.possible(state):
                    kept, after = self.after(state, i)
                    if after in following:
                        few, many = following[after]
                        following[after] = min(few, fewest + kept), max(many, most + kept)
                    else:
                        following[after] = fewest + kept, most + kept
                    self.spent += 1
            layer = following
            if self.spent > states or not layer:
                return
        self.low = history.writes - max(most + weight(state[2]) for state, (_, most) in layer.items())
        self.high = history.writes - min(fewest + weight(state[2]) for state, (fewest, _) in layer.items())

    def possible(self, state: State) -> list[int]:
        history = self.history
        heads = [those[at] for those, at in zip(history.threads, state[0], strict=True) if at < len(those)]
        horizon = min(history.seq[i] for i in heads)
        current = state[1]
        found = []
        for i in heads:
            if history.earliest[i] > horizon:
                continue
            if history.is_read[i] and i not in self.unseen:
                value = history.value[i]
                if value not in (UNKNOWN, current) and current != UNKNOWN:
                    continue
                if i not in history.last_use and value in (UNKNOWN, current):
                    return [i]
            found.append(i)
        return found

    def after(self, state: State, i: int) -> tuple[int, State]:
        """The state after access `i`, and how many writes are now known to be kept."""
        history = self.history
        places, value, current, pending = state
        kept = 0
        if history.settles[i] or i in self.unseen:
            kept = weight(current)
            pending = tuple((source, without(chain, current)) for source, chain in pending)
            current = ()
        if history.is_read[i]:
            if history.value[i] != UNKNOWN:
                value = history.value[i]
        else:
            value = history.value[i]
            source = history.source[i]
            current = (*dict(pending).get(source, ()), (-1, 1))
            pending = tuple(item for item in pending if history.last_use[item[0]] != i)
        if i in history.last_use:
            pending = tuple(sorted((*pending, (i, current))))
        t = history.thread[i]
        places = (*places[:t], places[t] + 1, *places[t + 1 :])
        chains: list[Chain] = [current, *(chain for _, chain in pending)]
        chains = canonical(chains) if self.shared else [((0, weight(chain)),) for chain in chains]
        current = chains[0]
        pending = tuple((source, chain) for (source, _), chain in zip(pending, chains[1:], strict=True))
        return kept, (places, value, current, pending)


def weight(chain: Chain) -> int:
    return sum(writes for _, writes in chain)


def without(chain: Chain, kept: Chain) -> Chain:
    """What is left of a chain when the writes of another one are known to be kept."""
    shared = 0
    for one, other in zip(chain, kept, strict=False):
        if one != other:
            break
        shared += 1
    return chain[shared:]


def canonical(chains: list[Chain]) -> list[Chain]:
    """The same chains, with a piece for each part that is shared by the same ones, named in order."""
    children: dict[Chain, set[tuple[int, int]]] = {}
    for chain in chains:
        for length, piece in enumerate(chain):
            children.setdefault(chain[:length], set()).add(piece)
    ends = set(chains)
    names: dict[Chain, int] = {}
    result = []
    for chain in chains:
        pieces = []
        writes = 0
        for length in range(1, len(chain) + 1):
            prefix = chain[:length]
            writes += chain[length - 1][1]
            if prefix in ends or len(children[prefix]) > 1:
                pieces.append((names.setdefault(prefix, len(names)), writes))
                writes = 0
        result.append(tuple(pieces))
    return result


def search(
    location: int,
    events: Sequence[Event],
    sources: Mapping[int, int],
    certainties: Mapping[int, Certainty],
    budget: Budget,
) -> tuple[versions.Lost, LostCount]:
    """The lost updates in one consistent order, and the range over all of them."""
    history = History(events, sources)
    unseen: set[int] = set()
    bounds = Bounds(history, unseen)
    witness = Witness(history, bounds.candidates, unseen, steps=max(100_000, len(history.seq)))
    if witness.forced and not witness.exhausted:
        unseen |= witness.forced
        bounds = Bounds(history, unseen)
    low, high, exhausted = bounds.low, bounds.high, witness.exhausted
    if low < high:
        count = AllOrders(history, unseen, budget.take())
        budget.states -= count.spent
        if count.low is not None and count.high is not None:
            low, high = count.low, count.high
        else:
            exhausted = True
    in_order = [history.events[i] for i in witness.order]
    lost = versions.lost_updates(location, in_order, sources, certainties, order_known=low == high and not exhausted)
    number = len(lost.updates)
    if witness.exhausted:
        # No consistent order was found; this one makes do with unseen writes that nothing proves.
        proven = {history.seq[i] for i in unseen}
        lost = versions.Lost(lost.updates, lost.overwriters, [u for u in lost.unseen if u.seq in proven])
    else:
        low, high = min(low, number), max(high, number)
    return lost, LostCount(location, low, high, lost.overwriters, exhausted)
