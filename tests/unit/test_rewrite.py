"""Ids, links and zones on the wire."""
import json
import uuid

from hypothesis import example, given
from hypothesis import strategies as st

from tricircle.freetext import exposed, swapped
from tricircle.routing import rewrite
from tricircle.routing.fields import members
from tricircle.uuids import UUIDS

ids = st.uuids().map(str)
texts = st.text(max_size=20)
documents = st.recursive(st.none() | st.booleans() | st.integers() | texts | ids,
                         lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
                         max_leaves=20)


@given(documents, st.data())
def test_there_and_back_is_the_same(document, data):
    body = json.dumps(document).encode()
    home = sorted(exposed("/", document))
    chosen = data.draw(st.lists(st.sampled_from(home), unique=True)) if home else []
    mapping = {old: str(uuid.uuid4()) for old in chosen}
    down = swapped(body, mapping)
    assert len(down) == len(body)
    assert not set(chosen) & exposed("/", json.loads(down))
    assert swapped(down, {new: old for old, new in mapping.items()}) == body


@given(st.lists(ids | st.sampled_from(["-", "a", "0123", "%2f", "-0123-4567-89ab-cdef01234567", "\n"])).map("".join))
def test_every_id_is_found_that_would_be_swapped(text):
    """Whatever stands around it, another id without anything between them included."""
    seen = {found.decode() for found in UUIDS.findall(text.encode())}
    assert seen <= set(rewrite.ids(text.encode())) <= {text[start:start + 36] for start in range(len(text))}
    assert all(UUIDS.fullmatch(each.encode()) for each in rewrite.ids(text.encode()))


def test_swapping_two_ids_with_each_other():
    one, two = str(uuid.uuid4()), str(uuid.uuid4())
    assert swapped(f"{one} {two}".encode(), {one: two, two: one}) == f"{two} {one}".encode()
    assert swapped(f"/{one}?x={two}".encode(), {one: two, two: one}) == f"/{two}?x={one}".encode()


def test_links_of_a_pod_that_does_not_know_of_its_tls_front_end():
    for scheme in (b"http", b"https"):
        assert rewrite.links(scheme + b"://[fd00::1]/compute/v2.1", "https://[fd00::1]/compute", "http://gw:1") == \
            b"http://gw:1/v2.1"
    assert rewrite.links(b"https://pod/computers", "https://pod/compute", "http://gw:1") == b"https://pod/computers"


def test_links_of_the_pod_only():
    body = b'[{"href": "http://pod:8774/v2.1/x"}, {"href":"http://pod:87745/"}, {"href":"http://pod:8774"}]'
    assert rewrite.links(body, "http://pod:8774", "http://gw:1") == \
        b'[{"href": "http://gw:1/v2.1/x"}, {"href":"http://pod:87745/"}, {"href":"http://gw:1"}]'


def test_a_pods_address_in_a_users_words_is_no_link():
    words = json.dumps({"metadata": {"docs": "http://pod:8774/x", "quoted": '{"href": "http://pod:8774/x"}'}}).encode()
    assert rewrite.links(words, "http://pod:8774", "http://gw:1") == words


@given(documents)
def test_zones_leave_everything_else_alone(document):
    before = json.dumps(document)
    assert not rewrite.zones(members(document), lambda name, *_: name)
    assert json.dumps(document) == before


def test_zones_of_every_kind():
    document = {"servers": [{"OS-EXT-AZ:availability_zone": "nova", "name": "nova"}],
                "network": {"availability_zones": ["nova", "nova2"], "availability_zone_hints": []},
                "volume": {"availability_zone": None}}
    assert rewrite.zones(members(document), lambda name, *_: "az1")
    assert document == {"servers": [{"OS-EXT-AZ:availability_zone": "az1", "name": "nova"}],
                        "network": {"availability_zones": ["az1"], "availability_zone_hints": []},
                        "volume": {"availability_zone": None}}


def test_a_zone_that_is_named_twice_is_for_the_pod_to_refuse():
    document = {"network": {"availability_zone_hints": ["az1", "az1"]}}
    assert not rewrite.zones(members(document), lambda *_: "nova")
    assert document == {"network": {"availability_zone_hints": ["az1", "az1"]}}


def test_an_empty_zone_takes_the_field_out():
    document = {"server": {"availability_zone": "az1", "name": "vm"}, "hints": {"availability_zone_hints": ["az1"]}}
    rewrite.zones(members(document), lambda name, *_: "")
    assert document == {"server": {"name": "vm"}, "hints": {"availability_zone_hints": []}}


def test_walking_a_document_deeper_than_the_stack():
    document = {}
    inner = document
    for _ in range(100_000):
        inner["x"] = inner = {}
    assert sum(1 for _ in rewrite.walk(document)) == 100_000


NAMED = st.sampled_from(["availability_zone", "OS-EXT-AZ:availability_zone", "metadata", "name", 'a"availability_zone'])
TEXTS = st.one_of(st.sampled_from(["nova", "az1", '"availability_zone": "nova"', "é", "\\", ""]), st.text(max_size=6))
RECORDS = st.dictionaries(NAMED, st.one_of(TEXTS, st.none(), st.lists(TEXTS, max_size=2),
                                           st.dictionaries(NAMED, TEXTS, max_size=2)), max_size=4)


@given(st.dictionaries(st.sampled_from(["server", "servers", "availability_zone"]),
                       st.one_of(RECORDS, st.lists(RECORDS, max_size=3), TEXTS), max_size=2),
       st.sampled_from([None, (",", ":")]), st.booleans())
@example({"server": {"metadata": {"availability_zone": "nova"}, "availability_zone": "nova"}}, None, True)
@example({"server": {"availability_zone": "nova", "name": '"availability_zone": "nova"'}}, None, True)
def test_patched_bytes_say_what_the_whole_document_would(document, separators, ascii_only):
    data = json.dumps(document, separators=separators, ensure_ascii=ascii_only).encode()
    changes = rewrite.zones(members(document), lambda name, *_: "az-of-the-pod" if name == "nova" else name)
    patched = rewrite.patched(data, changes)
    assert patched is None or json.loads(patched) == document


def test_one_zone_of_a_server_is_patched():
    document = {"server": {"id": "1", "OS-EXT-AZ:availability_zone": "nova", "n": 1.0}}
    data = json.dumps(document).encode()
    changes = rewrite.zones(members(document), lambda *_: "az1")
    assert rewrite.patched(data, changes) == data.replace(b"nova", b"az1")
