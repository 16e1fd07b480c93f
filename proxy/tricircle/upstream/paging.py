"""One page of a list that lies in many pods, at the price of about one page of each.

The order of the whole is the merge of the pods' own sequences: each pod's order is kept as it is, since a pod sorts by
more than its answers show (microseconds, its collation). A page is continued at the pods' own last records (a *trail*
for each pod). A pod without a trail is continued behind the marker's sort values. How a pod is asked is handed in.
"""
import functools
import heapq
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tricircle.errors import PodUnreachable
from tricircle.upstream.merge import dig

# How many of a pod's last records are remembered. A record that is deleted between two pages is no marker any more.
TRAIL = 3
# Records held at once, over all pods; and what is asked of a pod at least, since a call costs more than a record.
HELD, LEAST, GROWTH = 2000, 10, 4


class Declined(Exception):
    """A pod refuses what it is asked.

    Args:
        status: 4xx.
        answer: the pod's.
    """

    def __init__(self, status: int, answer: Any = None):
        super().__init__(status)
        self.status, self.answer = status, answer

    @property
    def is_marker(self) -> bool:
        """Whether it may be the marker that is refused: Nova says 400, Cinder and Neutron 404."""
        return self.status in (400, 404)


@dataclass(frozen=True)
class Batch:
    """Some records of one pod.

    Args:
        records: in the order asked for, as the user sees them; some may have been left out.
        last: marker for what follows; None at the end.
    """

    records: list[dict]
    last: str | None


Ask = Callable[[str | None, int], Batch]


@functools.total_ordering
class _Backwards:
    """A value that sorts the other way round."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return self.value == other.value

    def __lt__(self, other: "_Backwards") -> bool:
        return other.value < self.value


@dataclass(frozen=True)
class Order:
    """How records of different pods are compared.

    Args:
        sort: [(field, descending)], the most significant first.
        reverse: the list is read from its end.
        strict: all pods sort exactly like this; not so with text, which each database sorts in its own way.
    """

    sort: tuple[tuple[str, bool], ...]
    reverse: bool = False
    strict: bool = False

    def values(self, record: dict) -> list:
        """What is compared of a record; null for what cannot be."""
        found = [dig(record, field) for field, _ in self.sort]
        return [None if isinstance(value, dict | list) else value for value in found]

    def place(self, pod: str, values: list) -> tuple:
        """Where a record stands. Equal ones stand by pod, so that every place is before or behind every other."""
        flags = [descending != self.reverse for _, descending in self.sort] + [self.reverse]
        return tuple(_Backwards(_ranked(value)) if backwards else _ranked(value)
                     for value, backwards in zip([*values, pod], flags, strict=True))


def comparable(sort: list[tuple[str, bool]], coarse: Collection[str]) -> tuple[tuple[str, bool], ...]:
    """The sort keys by which records of different pods can be compared.

    A time is shown to the second and sorted to the microsecond: whatever sorts behind it sorts within a pod only.
    """
    places = [place for place, (field, _) in enumerate(sort) if field in coarse]
    return tuple(sort[:places[0] + 1] if places else sort)


def _ranked(value: Any) -> tuple:
    """None sorts first, as SQL's NULL does; numbers and text are never compared with each other."""
    if value is None:
        return (0, 0)
    # Text as MariaDB's default collation sees it. Where a pod sorts otherwise its own order is kept all the same.
    return (1, value) if isinstance(value, int | float) else (2, str(value).upper())


def sizes(count: int, pods: int) -> tuple[int, int]:
    """How many records to ask of each pod at first, and at most at once."""
    first = min(count, HELD, max(LEAST, 2 * count // pods))
    return first, max(first, HELD // pods)


class Tail:
    """What one pod's list has behind a position; asked for as it is needed.

    Args:
        ask: gives a batch behind a marker (None: from the beginning).
        size: (of the first batch, of the largest).
        trail: ids of the pod's last consumed records, the last one at the end.
        passed: whether a record lies before the position; used when nothing of the trail is there any more. None when
            the trail alone says where to go on: an empty one means at the beginning.
    """

    def __init__(self, ask: Ask, size: tuple[int, int], trail: list[str], passed: Callable[[dict], bool] | None):
        self._ask, (self._size, self._most), self._passed = ask, size, passed
        self.trail = list(trail)
        self.sure = bool(trail) or passed is None
        self.broken = False   # what follows did not come: the page is not whole
        self._batch: Batch | None = None

    def fill(self) -> None:
        """Get the first batch, so that those of all pods can be got at once.

        Raises:
            Declined: the pod refuses.
            PodUnreachable: no answer.
        """
        try:
            self._batch = self._behind([*reversed(self.trail)] or [None])
        except Declined as gone:
            if not (self.trail and self._passed and gone.is_marker):
                raise
            self._batch = self._ask(None, self._size)
        else:
            if self.trail:
                return
        while self._passed:
            rest = [record for record in self._batch.records if not self._passed(record)]
            if rest or self._batch.last is None:
                self._batch = Batch(rest, self._batch.last)
                return
            self._more()

    def _behind(self, markers: list[str | None]) -> Batch:
        """What follows the first of some markers that is still there."""
        for marker in markers[:-1]:
            try:
                return self._ask(marker, self._size)
            except Declined as gone:
                if not gone.is_marker:
                    raise
        return self._ask(markers[-1], self._size)

    def _more(self) -> None:
        """The next batch. The last record may have been deleted since it was read: then behind one before it."""
        self._size = min(self._size * GROWTH, self._most)
        known = [record.get("id") for record in self._batch.records]
        batch = self._behind([self._batch.last, *reversed(known[-TRAIL:])])
        self._batch = Batch([record for record in batch.records if record.get("id") not in known], batch.last)

    def __iter__(self) -> Iterator[dict]:
        while self._batch:
            yield from self._batch.records
            if self._batch.last is None:
                return
            try:
                self._more()
            except (PodUnreachable, Declined):
                self.broken = True
                return

    def consume(self, record_id: str) -> None:
        """A record was shown."""
        self.trail, self.sure = [*self.trail, record_id][-TRAIL:], True


def merge(tails: Mapping[str, Tail], order: Order, count: int) -> list[tuple[str, dict]]:
    """The next records of all pods.

    Args:
        tails: filled.
        order: of the whole.
        count: how many.

    Returns:
        (pod, record), in order of reading.
    """
    def labelled(pod: str) -> Iterator[tuple[str, dict]]:
        return ((pod, record) for record in tails[pod])

    def place(each: tuple[str, dict]) -> tuple:
        return order.place(each[0], order.values(each[1]))

    shown = list(islice(heapq.merge(*map(labelled, tails), key=place), count))
    for pod, record in shown:
        tails[pod].consume(str(record.get("id")))
    return shown


def cursor(tails: Mapping[str, Tail], order: Order, shown: list[tuple[str, dict]], known: dict | None,
           missing: Collection[str] = ()) -> dict:
    """What the page behind these records needs to know.

    Args:
        tails, order: of this page.
        shown: its records; there is at least one.
        known: the cursor of this page.
        missing: pods that gave nothing, or not all.

    Returns:
        `pod` and `values` say how far the list has got in its order. `trails`: each pod's last records; a pod that was
        placed by sort values and gave nothing has none, the new values place it as well. `late`: pods that may have
        records before that place which nobody has seen.
    """
    pod, record = shown[-1]
    edges = [(pod, order.values(record)), *([(known["pod"], known["values"])] if known else [])]
    pod, values = max(edges, key=lambda edge: order.place(*edge))
    return {"pod": pod, "values": values, "late": sorted({*(known["late"] if known else ()), *missing}),
            "trails": {name: tail.trail for name, tail in tails.items() if tail.sure}}


def tails(asks: Mapping[str, Ask], order: Order, count: int, known: dict | None, marker: str | None) -> dict[str, Tail]:
    """Where each pod goes on.

    Args:
        asks: of each pod.
        order: of the whole.
        count: size of the page.
        known: a cursor; None at the beginning of the list.
        marker: the user's; a pod that refuses its own record decides that the marker is gone.
    """
    size = sizes(count, len(asks))
    if known is None:
        return {pod: Tail(ask, size, [], None) for pod, ask in asks.items()}
    edge = order.place(known["pod"], known["values"])

    def start(pod: str, ask: Ask) -> Tail:
        trail = known["trails"].get(pod)
        if trail and trail[-1] == marker:
            return Tail(ask, size, trail[-1:], None)

        def passed(record: dict) -> bool:
            return order.place(pod, order.values(record)) <= edge

        def ask_behind(after: str | None, size: int) -> Batch:
            batch = ask(after, size)
            return Batch([record for record in batch.records if not passed(record)], batch.last)

        # What has come in before the edge meanwhile was not there throughout. Were it shown, it would be the next
        # marker, and lead a reader whose cursor is lost back to what he has seen.
        return Tail(ask_behind if order.strict and pod not in known["late"] else ask, size, trail or [],
                    None if trail == [] else passed)

    return {pod: start(pod, ask) for pod, ask in asks.items()}


def forgotten(order: Order, pod: str, record: dict) -> dict:
    """A cursor made of the marker's record alone."""
    return {"pod": pod, "values": order.values(record), "late": [], "trails": {pod: [record["id"]]}}
