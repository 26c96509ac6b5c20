"""Accesses that failed without a check, and whose exception ended their thread or was only reported.

A program may be written to fail (`try: d[k]`), so a failure alone says nothing. One that nobody caught does: if another
thread has deleted the item since this one had found it there, had taken its key out of the container, or had begun the
function, that is why. Or if it cleared a list to which this one had appended, or put the item there again at once: it
was not meant to be seen without. Or if another thread had shared the object and wrote the attribute too late: the
object was not made yet (Goetz et al., "Java Concurrency in Practice", 3.5: improper publication).
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from opcodetrace.analyse.checks import Checks
from opcodetrace.analyse.counted_indexes import is_counted
from opcodetrace.analyse.early_flags import EarlyFlags
from opcodetrace.analyse.made_of import Function, own_nodes, times_stored
from opcodetrace.analyse.pasts import Pasts
from opcodetrace.analyse.put_back import PutBack
from opcodetrace.analyse.refusals import refused_as
from opcodetrace.analyse.sizes import adds_one
from opcodetrace.analyse.windows import Lanes
from opcodetrace.analyse.wiped_out import empties, takes_back
from opcodetrace.trace.event import EventKind
from opcodetrace.trace.events import ValueTag
from opcodetrace.trace.location import LocationKind
from opcodetrace.trace.run import Trace
from opcodetrace.trace.site import Operation

_MISSING = {  # what an access raises if nothing is there
    LocationKind.ITEM: KeyError.__name__,
    LocationKind.WHOLE: IndexError.__name__,
    LocationKind.ATTRIBUTE: AttributeError.__name__,
    LocationKind.GLOBAL: NameError.__name__,
}
_KINDS = frozenset([LocationKind.ITEM, LocationKind.ATTRIBUTE, LocationKind.GLOBAL])
_SAME = frozenset(["list", "tuple", "set", "frozenset", "sorted", "reversed", "iter"])
_ONE_OF = frozenset(["next", "min", "max", "choice"])  # they give one of what they go over
_LOOKS = (Operation.CONTAINS, Operation.CALL)
_BY_KEY = frozenset(["pop", "remove", "move_to_end"])
MAX_REPORTED = 1_000  # failures of an instruction whose exception was caught, that are looked at
_DEEPEST = 8  # expressions from the key back to the container


class Uncaught(NamedTuple):
    location: int
    seen: int | None  # seqs: where the thread itself had found it there, or put it there
    change: int
    failure: int
    is_sure: bool  # they came in that order in every order that agrees with the trace
    shared_at: int | None = None  # if the change came too late: the location by which the object was shared,
    share: int | None = None  # and the write that did so
    flagged_at: int | None = None  # or the location that told that it was made,
    flag: int | None = None  # and the write of that
    back: int | None = None  # if it was away for a moment: the write that put it there again
    is_proven: bool = True  # else it follows from what an earlier container had


def uncaught_failures(
    trace: Trace, pasts: Pasts, checks: Checks, told: Collection[int], unseen: Collection[int]
) -> Iterator[Uncaught]:
    """Those of which another thread's deletion is the reason. Not if the thread had waited for that, nor those that are
    `told` of (seqs). Of locations that code wrote to which is not woven (`unseen`), nothing is told."""
    failures = np.flatnonzero(trace.events.failed() & (trace.events.kind == EventKind.READ))
    search = _Search(trace, pasts, checks, unseen)
    uncaught = set(trace.events.places(trace.uncaught).values())
    looked_at: Counter[int] = Counter()  # by site
    for failure in failures.tolist():
        site = int(trace.events.site[failure])
        if int(trace.events.seq[failure]) in told:
            continue
        if failure not in uncaught:
            looked_at[site] += 1
            if looked_at[site] > MAX_REPORTED or not search.is_reported(failure):
                continue
        found = (
            search.of(failure, ended=failure in uncaught)
            or search.half_made(failure)
            or search.counted(failure)
            or search.told_too_early(failure)
            or search.wiped_out(failure)
            or search.for_a_moment(failure, ended=failure in uncaught)
        )
        if found is not None:
            yield found
    for refused in search.refused(told):
        found = search.refused_for_a_moment(refused)
        if found is not None:
            yield found


class _Search:
    def __init__(self, trace: Trace, pasts: Pasts, checks: Checks, unseen: Collection[int]) -> None:
        self._trace = trace
        self._events = trace.events
        self._failed = trace.events.failed()
        self._pasts = pasts
        self._unseen = unseen
        self._histories = checks.histories
        self._activations = checks.called.activations
        self._flags = EarlyFlags(trace, checks)
        self._handlers = checks.handlers
        self._put_back = PutBack(trace, self._histories, self._activations, pasts, checks.resizes)
        self._is_whole = not (trace.missed or trace.holes or trace.let_go or trace.merged)
        self._has_tasks = Lanes(trace).has_tasks

    def is_reported(self, failure: int, *, only_once: bool = False) -> bool:
        """Whether its exception came to a handler, here or in a caller, that only tells of it."""
        error = str(self._events[failure].value)
        return self._handlers.report(self._activations.lines(failure), error, only_once=only_once)

    def of(self, failure: int, *, ended: bool) -> Uncaught | None:
        """`ended`: its exception ended the thread. Else it must have seen that there was something."""
        events = self._events
        number = int(events.location[failure])
        location = self._trace.locations.get(number)
        if not self._failed[failure] or location is None or not location.certain or location.kind not in _KINDS:
            return None
        if number in self._unseen:
            return None
        changes: list[int] = []
        seen = None
        begun = self._activations.called_by_the_first(self._activations.of(failure).begun)
        for place in self._histories.before(failure):
            if events.thread[place] != events.thread[failure]:
                if events.kind[place] != EventKind.READ:
                    changes.append(place)
            elif events.kind[place] == EventKind.DELETE:
                break
            elif self._put_back.finds(place):
                seen = place if events.seq[place] > begun else None
                break
        if not changes or events.kind[changes[0]] != EventKind.DELETE:
            return None
        change = changes[0]
        knows = self._pasts.holds(failure, change)
        if knows or not self._are_two_threads(change, failure):
            return None
        changing, failing = (int(events.seq[each] - events.before[each]) for each in (change, failure))
        is_sure = knows is False and int(events.seq[change]) < failing
        is_sure &= seen is None or int(events.seq[seen]) < changing
        is_sure &= all(int(events.seq[each]) < changing for each in changes[1:])
        # a key that the thread took out of the container was there: what is the last change came after that
        if seen is None and not (
            is_sure and self._is_whole and ((ended and 0 <= begun < changing) or self._is_key_of_container(failure))
        ):
            return None
        first, deleted, failed = (None if each is None else int(events.seq[each]) for each in (seen, change, failure))
        assert deleted is not None
        assert failed is not None
        return Uncaught(number, first, deleted, failed, is_sure)

    def half_made(self, failure: int) -> Uncaught | None:
        """An attribute that was never written before, but later, by the thread which had shared the object."""
        events = self._events
        number = int(events.location[failure])
        location, containers = self._trace.locations.get(number), self._trace.containers
        if not self._failed[failure] or location is None or not location.certain:
            return None
        if location.kind is not LocationKind.ATTRIBUTE or number in self._unseen:
            return None
        if any(events.kind[place] != EventKind.READ for place in self._histories.before(failure)):
            return None
        change = next((place for place in self._histories.after(failure) if events.kind[place] != EventKind.READ), None)
        if change is None or events.kind[change] != EventKind.WRITE or not self._are_two_threads(change, failure):
            return None
        container = 0 if containers is None else int(containers[number])
        share = self._put_back.share(failure, container) if container else None
        if share is None or events.thread[share] != events.thread[change]:
            return self._made_meanwhile(failure, change)
        failed, changed, shared = (int(events.seq[place]) for place in (failure, change, share))
        is_sure = failed < changed - events.before[change] and shared < failed - events.before[failure]
        return Uncaught(number, None, changed, failed, bool(is_sure), int(events.location[share]), shared)

    def _made_meanwhile(self, failure: int, change: int) -> Uncaught | None:
        """If the attribute was written by the very `__init__` of the object, or by a method that this calls: however
        the thread had come by the object (`self.__class__ = Real; self.__init__()`), it was not made yet."""
        if self._pasts.holds(change, failure) is not False or not self._is_initialised(change):
            return None
        events = self._events
        failed, changed = (int(events.seq[place]) for place in (failure, change))
        is_sure = failed < changed - events.before[change]
        return Uncaught(int(events.location[failure]), None, changed, failed, bool(is_sure))

    def _is_initialised(self, change: int) -> bool:
        """Whether an attribute is written of the object whose `__init__` is under way: `self.x = x` there, or in what
        it calls by `self.set_up()`."""
        for part in self._activations.parts(change):
            function = part.tree.function(part.node)
            first = None if function is None else next(iter(function.args.posonlyargs + function.args.args), None)
            match part.node:
                case ast.Attribute(ast.Name(name)) | ast.Call(ast.Attribute(ast.Name(name))):
                    is_own = first is not None and name == first.arg
                case ast.Call(ast.Attribute(ast.Call(ast.Name("super")))):
                    is_own = True
                case _:
                    return False
            if function is None or not is_own or times_stored(function, first.arg):  # type: ignore[union-attr]
                return False
            if function.name == "__init__":
                return True
        return False

    def told_too_early(self, failure: int) -> Uncaught | None:
        """What the thread had been told to be there, by a flag that another one had set before it made that."""
        events = self._events
        number = int(events.location[failure])
        location = self._trace.locations.get(number)
        if not self._failed[failure] or location is None or not location.certain or number in self._unseen:
            return None
        if str(events[failure].value) != _MISSING.get(location.kind):
            return None
        fill = self._flags.fill(number)
        if fill is None or fill < failure or not self._are_two_threads(fill, failure):
            return None
        known = self._flags.known_by(failure, fill) if self._pasts.holds(fill, failure) is False else None
        if known is None or int(events.location[known[0]]) in self._unseen:
            return None
        flag, check = known
        seqs = [int(events.seq[place]) for place in (flag, check, failure, fill)]
        earliest = [int(events.seq[place] - events.before[place]) for place in (check, failure, fill)]
        is_sure = all(one < other for one, other in zip(seqs, earliest, strict=False))
        at = int(events.location[flag])
        return Uncaught(number, None, seqs[3], seqs[2], is_sure, flagged_at=at, flag=seqs[0])

    def counted(self, failure: int) -> Uncaught | None:
        """An item of a list, by an index that the thread had made of the number of items, if another one took items out
        since it counted them."""
        events = self._events
        number = int(events.location[failure])
        location = self._trace.locations.get(number)
        if not self._failed[failure] or location is None or not location.certain or number in self._unseen:
            return None
        if location.kind is not LocationKind.WHOLE or str(events[failure].value) != IndexError.__name__:
            return None
        changes: list[int] = []
        for place in self._histories.before(failure):
            if events.thread[place] != events.thread[failure]:
                changes += [place] if events.kind[place] != EventKind.READ else []
            elif self._counts(place):
                break
            elif events.kind[place] != EventKind.READ:
                return None
        else:
            return None
        change = next((each for each in changes if not adds_one(events[each])), None)
        if change is None or not self._are_two_threads(change, failure):
            return None
        count = int(events.word[place])
        if self._pasts.holds(failure, change) is not False or not is_counted(self._activations, failure, place, count):
            return None
        changing, failing = (int(events.seq[each] - events.before[each]) for each in (change, failure))
        is_sure = int(events.seq[place]) < changing and int(events.seq[change]) < failing
        counted, changed, failed = (int(events.seq[each]) for each in (place, change, failure))
        return Uncaught(number, counted, changed, failed, is_sure)

    def wiped_out(self, failure: int) -> Uncaught | None:
        """What the thread had appended to a list, in this activation or below it, if another one emptied that."""
        events = self._events
        number = int(events.location[failure])
        location = self._trace.locations.get(number)
        if not self._failed[failure] or location is None or not location.certain or number in self._unseen:
            return None
        if location.kind is not LocationKind.WHOLE or not self._is_whole:
            return None
        begun = self._activations.of(failure).begun
        change = None
        for place in self._histories.before(failure):
            if events.kind[place] == EventKind.READ:
                continue
            if events.thread[place] != events.thread[failure]:
                if change is None and not adds_one(events[place]):
                    change = place
            elif adds_one(events[place]):
                break
            else:
                return None
        else:
            return None
        if change is None or begun < 0 or int(events.seq[place]) <= begun:
            return None
        if not self._are_two_threads(change, failure):
            return None
        if not empties(self._activations, change) or self._pasts.holds(failure, change) is not False:
            return None
        if not takes_back(self._activations, place, failure, str(events[failure].value)):
            return None
        changing, failing = (int(events.seq[each] - events.before[each]) for each in (change, failure))
        is_sure = int(events.seq[place]) < changing and int(events.seq[change]) < failing
        appended, changed, failed = (int(events.seq[each]) for each in (place, change, failure))
        return Uncaught(number, appended, changed, failed, is_sure)

    def for_a_moment(self, failure: int, *, ended: bool) -> Uncaught | None:
        """What another thread had taken away, and put there again in the same activation."""
        events = self._events
        number = int(events.location[failure])
        location = self._trace.locations.get(number)
        if not self._failed[failure] or location is None or not location.certain or number in self._unseen:
            return None
        if str(events[failure].value) != _MISSING.get(location.kind) or not self._is_whole:
            return None
        if not ended and not self.is_reported(failure, only_once=not self._put_back.goes_on(failure)):
            return None
        return self._away(failure)

    def refused(self, told: Collection[int]) -> Iterator[int]:
        """The places of looks that found nothing, for which the function raised an error at once that came to a handler
        which only tells of it. No event says that it was raised: the code does."""
        events, trace = self._events, self._trace
        errors = {}
        read = np.zeros(int(events.site.max(initial=0)) + 1, bool)
        read[events.site[events.kind == EventKind.READ]] = True
        for number in np.flatnonzero(read).tolist():
            site = trace.sites.get(number)
            is_look = site is not None and site.operation in _LOOKS
            found = self._activations.syntax.of_site(number) if is_look else None
            error = None if found is None else refused_as(*found)
            if error is not None:
                errors[number] = error
        if not errors:
            return
        asks = np.isin(events.site, list(errors)) & (events.kind == EventKind.READ)
        nothing = asks & np.isin(events.tag, (ValueTag.FALSE, ValueTag.NONE, ValueTag.ABSENT)) & ~self._failed
        looked_at: Counter[int] = Counter()
        for place in np.flatnonzero(nothing).tolist():
            number = int(events.site[place])
            looked_at[number] += 1
            if looked_at[number] > MAX_REPORTED or int(events.seq[place]) in told or self._put_back.finds(place):
                continue
            if self._handlers.report(self._activations.lines(place), errors[number], only_once=True):
                yield place

    def refused_for_a_moment(self, look: int) -> Uncaught | None:
        """What another thread had taken away, and put there again in the same activation."""
        location = self._trace.locations.get(int(self._events.location[look]))
        if location is None or not location.certain or location.id in self._unseen or not self._is_whole:
            return None
        return self._away(look)

    def _away(self, asked: int) -> Uncaught | None:
        away = self._put_back.away(asked)
        if away is None or not self._are_two_threads(away.change, asked):
            return None
        changed, failed, back = (int(self._events.seq[place]) for place in (away.change, asked, away.back))
        location = int(self._events.location[asked])
        return Uncaught(location, None, changed, failed, True, back=back, is_proven=away.is_proven)

    def _counts(self, place: int) -> bool:
        """Whether it is the `len` of a container."""
        events = self._events
        site = self._trace.sites.get(int(events.site[place]))
        is_call = site is not None and site.operation == Operation.CALL and events.kind[place] == EventKind.READ
        return bool(is_call and events.tag[place] == ValueTag.INT)

    def _are_two_threads(self, one: int, other: int) -> bool:
        threads = self._events.thread[[one, other]]
        return bool(threads[0] != threads[1] and not self._has_tasks[threads].any())

    def _is_key_of_container(self, failure: int) -> bool:
        """Whether the key of a failed access was taken out of that container in the same function."""
        found = self._activations.syntax.of_site(int(self._events.site[failure]))
        if found is None:
            return False
        tree, node = found
        match node:
            case ast.Subscript(value=container, slice=ast.Name(name)):
                pass
            case ast.Call(ast.Attribute(container, method), [ast.Name(name)], []) if method in _BY_KEY:
                pass
            case _:
                return False
        function = tree.function(node)
        return function is not None and _Keys(function, ast.unparse(container)).has(name)


class _Keys:
    """What in a function are keys of a container, by the text of that: `for key in list(d)`, `next(iter(d))`,
    `[key for key, value in d.items() if ...]`."""

    def __init__(self, function: Function, container: str) -> None:
        self._container = container
        self._stored: Counter[str] = Counter()
        # by name: what it is bound to, as it is or by going over that; whether it is the first one of what is unpacked
        self._bound: defaultdict[str, list[tuple[ast.expr, bool, bool]]] = defaultdict(list)
        for node in own_nodes(function):
            match node:
                case ast.Name(name, ast.Store() | ast.Del()) | ast.arg(name):
                    self._stored[name] += 1
                case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                    self._bind(target, value, goes_over=True)
                case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
                    self._bind(target, value, goes_over=False)

    def _bind(self, target: ast.expr, value: ast.expr, *, goes_over: bool) -> None:
        match target:
            case ast.Name(name):
                self._bound[name].append((value, goes_over, False))
            case ast.Tuple([ast.Name(name), *_]):
                self._bound[name].append((value, goes_over, True))

    def has(self, name: str, depth: int = _DEEPEST) -> bool:
        """Whether all that a local variable is ever given is a key."""
        bound = self._bound[name]
        return 0 < len(bound) == self._stored[name] and all(
            self._go_over(value, is_pair, depth) if goes_over else self._is(value, is_pair, depth)
            for value, goes_over, is_pair in bound
        )

    def _is(self, value: ast.expr, is_pair: bool, depth: int) -> bool:
        """Whether it is a key, or a pair of key and value."""
        match value:
            case _ if depth == 0:
                return False
            case ast.Name(name):
                return not is_pair and self.has(name, depth - 1)
            case ast.Call(ast.Name(function) | ast.Attribute(attr=function), [among, *_]) if function in _ONE_OF:
                return self._go_over(among, is_pair, depth - 1)
            case ast.Subscript(ast.Call() as among, ast.Constant()):
                return self._go_over(among, is_pair, depth - 1)
        return False

    def _go_over(self, value: ast.expr, is_pair: bool, depth: int) -> bool:
        """Whether what it goes over are all keys, or pairs."""
        match value:
            case _ if depth == 0:
                return False
            case _ if ast.unparse(value) == self._container:
                return not is_pair
            case ast.Call(ast.Attribute(container, "items" | "keys" | "copy" as view), [], []):
                return ast.unparse(container) == self._container and is_pair == (view == "items")
            case ast.Call(ast.Name(function), [among, *_]) if function in _SAME:
                return self._go_over(among, is_pair, depth - 1)
            case ast.ListComp(each) | ast.SetComp(each) | ast.GeneratorExp(each):
                return self._is(each, is_pair, depth - 1)
            case ast.Name(name):
                bound = self._bound[name]
                return 0 < len(bound) == self._stored[name] and all(
                    not goes_over and not first and self._go_over(made, is_pair, depth - 1)
                    for made, goes_over, first in bound
                )
        return False
