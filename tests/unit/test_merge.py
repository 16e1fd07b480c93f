"""Lists of several pods become one."""
from hypothesis import given
from hypothesis import strategies as st

from tricircle.upstream import merge

records = st.lists(st.fixed_dictionaries({"id": st.integers(0, 10**6).map(str), "name": st.none() | st.text(max_size=3),
                                          "size": st.integers(0, 3)}), unique_by=lambda r: r["id"], max_size=30)
keys = st.lists(st.tuples(st.sampled_from(["name", "size", "unknown"]), st.booleans()), max_size=3)


@given(records, keys, st.integers(1, 7))
def test_pages_give_every_record_once_and_in_order(everything, sort, limit):
    wanted = merge.ordered(everything, sort)
    seen, marker = [], None
    while len(seen) < len(everything):
        cut, found = merge.page(merge.ordered(everything, sort), marker, 0, limit)
        assert found
        assert len(cut) == min(limit, len(everything) - len(seen))
        seen += cut
        marker = cut[-1]["id"]
    assert seen == wanted
    assert sorted(r["id"] for r in seen) == sorted(r["id"] for r in everything)


@given(records, st.booleans())
def test_sorting_by_one_key(everything, descending):
    sizes = [r["size"] for r in merge.ordered(everything, [("size", descending)])]
    assert sizes == sorted(sizes, reverse=descending)


def test_none_sorts_before_values():
    rows = [{"id": "1", "name": "b"}, {"id": "2", "name": None}]
    assert [r["id"] for r in merge.ordered(rows, [("name", False)])] == ["2", "1"]


def test_an_unknown_marker_is_told():
    assert merge.page([{"id": "a"}], "z", 0, 1) == ([{"id": "a"}], False)


def test_an_offset_counts_from_the_marker():
    assert merge.page([{"id": each} for each in "abcde"], "a", 2, 1) == ([{"id": "d"}], True)


def test_combining():
    one = {"volumes": [{"id": "1"}], "volumes_links": [{"rel": "next"}], "count": 2}
    two = {"volumes": [{"id": "2"}], "count": 3}
    assert merge.combine({"Pod1": one, "Pod2": two}, "volumes") == {"volumes": [{"id": "1"}, {"id": "2"}], "count": 5}


def test_the_same_thing_in_two_pods_is_shown_once():
    rows = [{"keypair": {"name": "a"}, "n": 1}, {"keypair": {"name": "a"}, "n": 2}, {"keypair": {}}]
    assert [r.get("n") for r in merge.unique(rows, "keypair.name")] == [1, None]


def test_the_key_of_a_collection():
    assert merge.collection_key({"servers": [], "servers_links": []}) == "servers"
    assert merge.collection_key({"limits": {}}) is None
    assert merge.collection_key([]) is None


def test_a_record_gathers_what_its_replicas_add_whatever_comes_first():
    """A replica whose home is not there (its pod is down) is not shown in its place."""
    def row(id, name, *members):
        return {"id": id, "name": name, "members": list(members)}
    lists = {"Pod1": [row("a", "mark", 2), row("b", "mark", 3)], "Pod2": [row("a", "g", 1), row("c", "h")]}
    found = merge.gathered(lists, "members", {"Pod1": {"a", "b"}, "Pod2": set()})
    assert found == [row("a", "g", 1, 2), row("c", "h")]


def test_a_marker_may_be_a_number():
    """Hypervisors have such ids before compute 2.53; a query has text only."""
    records = [{"id": 1001}, {"id": 1002}, {"name": "odd"}, {"id": 2001}]
    assert merge.page(records, "1002", 0, 1) == ([{"name": "odd"}], True)
    assert merge.page(records, "None", 0, 1)[1] is False
