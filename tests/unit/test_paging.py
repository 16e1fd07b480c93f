"""Pages over many pods: whatever is there throughout is seen exactly once, in the order of the whole."""
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.pod_pages import Pod, read

from tricircle.upstream import paging

KEYS = ("created", "name", "id", "absent")
SORTS = st.lists(st.tuples(st.sampled_from(KEYS), st.booleans()), max_size=2, unique_by=lambda key: key[0])
NAMES = st.text("aAbBzZ_1", max_size=2)
ROWS = st.tuples(st.integers(0, 2), st.integers(0, 2_000), NAMES, st.integers(0, 4))     # pod, milliseconds, name, luck
MOVES = st.lists(st.tuples(st.sampled_from(["add", "drop", "drop"]), ROWS), max_size=8)


class Scene:
    """Pods, and what has been there all the time."""

    def __init__(self, sort, reverse, alphabet, cap=1000):
        self.sort = sort
        strict = all(field != "name" for field, _ in sort)
        self.order = paging.Order(paging.comparable(sort, {"created"}), reverse, strict)
        self.numbers = itertools.count()
        self.alphabet = alphabet
        self.pods = [Pod(f"Pod{n}", self.exact, reverse, cap) for n in range(3)]

    def exact(self, row):
        """A pod's own order: to the millisecond, in its alphabet, by id in the end."""
        found = []
        for field, descending in self.sort:
            value = row["_ms"] if field == "created" else row.get(field)
            value = self.alphabet(value) if field == "name" else value
            ranked = (value is not None, 0 if value is None else value)
            found.append(paging._Backwards(ranked) if descending else ranked)
        return (*found, row["_number"])

    def add(self, row):
        """One more row."""
        pod, ms, name, luck = row
        number = next(self.numbers)
        id = f"{(number * 7919 + luck) % 4096:04x}-{number}"
        shown = {"id": id, "created": f"2026-01-01T00:00:{ms // 1000:02d}Z", "name": name, "hidden": luck == 4,
                 "_ms": ms, "_number": number}
        self.pods[pod].rows[id] = shown

    def drop(self, row, spared):
        """One less, by luck, but not the user's marker."""
        rows = self.pods[row[0]].rows
        choice = sorted(set(rows) - {spared})
        if choice:
            del rows[choice[row[1] % len(choice)]]

    def visible(self):
        """Ids that a user can see now."""
        return {id for pod in self.pods for id, row in pod.rows.items() if not row["hidden"]}

    def walk(self, limits, moves, lose):
        """All pages, with something happening between them: (ids seen, ids there throughout)."""
        throughout, seen, known, marker = self.visible(), [], None, None
        for number in range(400):
            shown, known = read(self.pods, self.order, limits[number % len(limits)], marker, known)
            if not shown:
                return seen, throughout
            seen += [row["id"] for _, row in shown]
            marker = seen[-1]
            known = json.loads(json.dumps(known))      # it goes through the store
            if number in lose:
                known = paging.forgotten(self.order, *shown[-1])
            for what, row in moves[number] if number < len(moves) else ():
                self.add(row) if what == "add" else self.drop(row, marker)
            throughout &= self.visible()
        raise AssertionError("paging does not end")


@settings(max_examples=400)
@given(SORTS, st.booleans(), st.lists(ROWS, max_size=40), st.lists(st.integers(1, 7), min_size=1, max_size=3),
       st.lists(MOVES, max_size=8), st.sets(st.integers(0, 20)), st.integers(1, 12))
def test_what_stays_is_seen_once_also_when_cursors_are_lost(sort, reverse, rows, limits, moves, lose, cap):
    """Pods sort times more finely than they show them. By text cursors may not be lost while rows come in."""
    scene = Scene(sort, reverse, str.upper, cap)
    for row in rows:
        scene.add(row)
    seen, throughout = scene.walk(limits, moves, lose if scene.order.strict else set())
    assert len(seen) == len(set(seen))
    assert throughout <= set(seen)


@given(SORTS, st.booleans(), st.lists(ROWS, max_size=40), st.lists(st.integers(1, 7), min_size=1, max_size=3),
       st.lists(MOVES.map(lambda moves: moves[:paging.TRAIL - 1]), max_size=8))
def test_a_pod_that_sorts_by_another_alphabet_is_followed_all_the_same(sort, reverse, rows, limits, moves):
    """Capitals first, as PostgreSQL in the C locale: the gateway need not sort so while a trail lasts."""
    scene = Scene(sort, reverse, str, 1000)
    for row in rows:
        scene.add(row)
    seen, throughout = scene.walk(limits, moves, set())
    assert len(seen) == len(set(seen))
    assert throughout <= set(seen)


@given(SORTS, st.lists(ROWS, max_size=40), st.integers(1, 7))
def test_the_order_is_that_of_the_whole_and_backwards_is_its_mirror(sort, rows, limit):
    ways = {}
    for reverse in (False, True):
        scene = Scene(sort, reverse, str.upper)
        for row in rows:
            scene.add(row)
        ways[reverse], _ = scene.walk([limit], [], set())
    places = {row["id"]: paging.Order(scene.order.sort).place(pod.name, scene.order.values(row))
              for pod in scene.pods for row in pod.rows.values()}
    assert [places[id] for id in ways[False]] == sorted(places[id] for id in ways[False])
    assert ways[True] == ways[False][::-1]


def filled(per_pod, pods=20):
    """Pods with rows in turns."""
    made = [Pod(f"Pod{number:02d}", lambda row: row["id"]) for number in range(pods)]
    for number in range(per_pod * pods):
        id = f"{number:05d}"
        made[number % pods].rows[id] = {"id": id, "hidden": False}
    return made


def test_a_page_costs_one_call_to_each_pod_wherever_it_is():
    pods, order = filled(100), paging.Order((("id", False),))
    marker = known = None
    for _ in range(40):
        shown, known = read(pods, order, 50, marker, known)
        assert len(shown) == 50
        marker = shown[-1][1]["id"]
    assert read(pods, order, 50, marker, known)[0] == []
    assert {pod.calls for pod in pods} == {41}


def test_a_forgotten_place_is_found_in_few_calls():
    pods, order = filled(100), paging.Order((("id", False),))
    shown, _ = read(pods, order, 50)
    everything = sorted((id, pod.name) for pod in pods for id in pod.rows)
    id, pod = everything[1500]
    known = paging.forgotten(order, pod, {"id": id})
    calls = sum(each.calls for each in pods)
    shown, _ = read(pods, order, 50, id, known)
    assert [row["id"] for _, row in shown] == [id for id, _ in everything[1501:1551]]
    assert sum(each.calls for each in pods) - calls <= 20 * 4


def test_the_marker_that_its_own_pod_refuses_is_gone():
    pods, order = filled(2, 2), paging.Order((("id", False),))
    shown, known = read(pods, order, 2)
    marker = shown[-1][1]["id"]
    for pod in pods:
        pod.rows.pop(marker, None)
    with pytest.raises(paging.Declined):
        read(pods, order, 2, marker, known)


@given(st.integers(1, 1000), st.integers(1, 100))
def test_what_is_held_is_bounded_however_many_pods_there_are(count, pods):
    first, most = paging.sizes(count, pods)
    assert first <= most
    assert most * pods <= max(paging.HELD, 2 * count, paging.LEAST * pods) + pods
