"""The user's own words stay as they are, whatever they look like."""
import copy
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.freetext import FREE, NAMING, exposed, swapped
from tricircle.routing.fields import PLACES, ZONES, Beside, members
from tricircle.routing.references import mentions
from tricircle.routing.rewrite import zones

IDS = [str(uuid.UUID(int=number)) for number in range(1, 7)]
TABLE = {each: str(uuid.UUID(int=0xff << 64 | number)) for number, each in enumerate(IDS)}
EVERY_FIELD = sorted({part.removesuffix("[]") for places in PLACES.values() for place in places
                      for part in place.split(".")} | ZONES | FREE)
texts = st.sampled_from([*IDS, *(f"see {each}, http://pod/{each}" for each in IDS), "az1", "tricircle:x", ""])
anything = st.recursive(st.none() | st.integers() | texts, lambda inner: st.lists(inner, max_size=3) |
                        st.dictionaries(st.sampled_from(EVERY_FIELD) | texts, inner, max_size=4), max_leaves=12)
free = st.dictionaries(st.sampled_from(sorted(FREE)), anything, min_size=1, max_size=3)


@given(free, st.sampled_from(sorted(PLACES)), st.sampled_from(["server", "volume", "port", "rebuild", "subnets"]),
       st.booleans())
def test_free_text_in_is_free_text_out(words, service, member, several):
    """Nothing of it is sought, swapped or translated, in either direction."""
    words = {name: value for name, value in words.items() if name != "key_name"}    # it names a keypair, and stays
    body = {member: [words] if several else words}
    before = json.dumps(body).encode()
    assert exposed("/v2.1/servers", body, NAMING.get(service, frozenset())) == set()
    assert json.loads(swapped(before, TABLE)) == body
    assert mentions(service, body) == mentions(service, {})
    assert not zones(members(body), lambda *_: "changed")
    assert json.dumps(body).encode() == before


@given(anything, free, st.sampled_from(sorted(PLACES)))
def test_free_text_beside_other_fields_changes_nothing(document, words, service):
    words = {name: value for name, value in words.items() if name != "key_name"}
    plain = {"server": {"link": document}}
    both = copy.deepcopy(plain)
    both["server"] |= words
    assert mentions(service, both) == mentions(service, plain)
    assert exposed("/", both) == exposed("/", plain)
    changed = json.loads(swapped(json.dumps(both).encode(), TABLE))["server"]
    assert {name: changed[name] for name in words} == words
    assert changed["link"] == json.loads(swapped(json.dumps(plain).encode(), TABLE))["server"]["link"]


@pytest.mark.parametrize("field", [
    "name", "description", "display_name", "display_description", "hostname", "metadata", "meta", "user_data",
    "personality", "tags", "properties", "extra_specs", "group_specs", "volume_image_metadata", "binding:profile",
    "dns_name", "dns_domain", "public_key", "key_name", "adminPass"])
def test_what_is_free_by_the_api_references(field):
    for words in (IDS[0], [IDS[0]], {IDS[1]: IDS[0], "network_id": IDS[0], "availability_zone": "az1"}):
        for body in ({"server": {field: words}}, {field: words}):
            assert json.loads(swapped(json.dumps(body).encode(), TABLE)) == body
            assert exposed("/", body) == set()
            for service in PLACES:
                found = mentions(service, body)
                assert (found.resources, found.zone, found.groups, found.hints) == ([], None, [], [])
            assert not zones(members(body), lambda *_: "changed")


def test_hints_name_what_the_table_says_and_nothing_else():
    body = {"server": {}, "os:scheduler_hints": {"group": IDS[0], "network_id": IDS[1], "availability_zone": "az1"}}
    found = mentions("compute", body)
    assert (found.resources, found.zone) == ([("compute", "os-server-groups", IDS[0])], None)


@given(anything)
def test_keys_are_never_swapped_and_ids_elsewhere_always(document):
    swapped_text = json.dumps(json.loads(swapped(json.dumps({"x": document}).encode(), TABLE)))
    assert not exposed("/", json.loads(swapped_text)) & set(TABLE)


def test_what_is_not_free_in_a_path_and_a_query():
    one, new = IDS[0], TABLE[IDS[0]]
    for target in ("/v2.0/ports/{}/tags", "/v2.1/servers/{}/metadata/x", "/v2.0/ports?network_id={}",
                   "/v2.0/ports?fixed_ips=subnet_id%3D{}", "/v2.1/servers/x/os-interface/{}"):
        assert swapped(target.format(one).encode(), TABLE) == target.format(new).encode()
        assert exposed(target.format(one), None) == {one}
    for target in ("/v2.0/ports/x/tags/{}", "/v2.1/servers/x/metadata/{}", "/v3/types/x/extra_specs/{}",
                   "/v2.1/os-keypairs/{}", "/v2.0/ports?name={}&limit=1", "/v3/p/volumes?name~={}",
                   "/v2.0/networks?description={}", "/v2.0/networks?tags={}", "/v2.0/networks?not-tags-any=a,{}",
                   "/v3/p/volumes?metadata=%7B%27a%27%3A%27{}%27%7D", "/v2.0/networks?n%61me={}"):
        assert swapped(target.format(one).encode(), TABLE) == target.format(one).encode()
        assert exposed(target.format(one), None) == set()


def test_nova_calls_a_group_by_name_or_id():
    """In requests; in Nova's and Neutron's answers a group's name is its user's text."""
    body = {"server": {"name": IDS[0], "security_groups": [{"name": IDS[0]}]}, "addSecurityGroup": {"name": IDS[1]}}
    local = json.loads(swapped(json.dumps(body).encode(), TABLE, NAMING["compute"]))
    assert local == {"server": {"name": IDS[0], "security_groups": [{"name": TABLE[IDS[0]]}]},
                     "addSecurityGroup": {"name": TABLE[IDS[1]]}}
    assert json.loads(swapped(json.dumps(body).encode(), TABLE)) == body


def _at(place, value):
    """A member object with a value at a place."""
    name, _, rest = place.partition(".")
    inner = _at(rest, value) if rest else value
    return {name.removesuffix("[]"): [inner] if name.endswith("[]") else inner}


def test_every_place_of_the_table_is_read():
    for service, places in PLACES.items():
        for place, kind in places.items():
            cases = {None: kind} if not isinstance(kind, Beside) else kind.kinds
            for told, target in cases.items():
                member = _at(place, IDS[0])
                if told:
                    (member[place.split("[]")[0]][0] if "[]." in place else member)[kind.field] = told
                for body in ({"member": member}, {"members": [member]}, member):
                    found = mentions(service, body)
                    if isinstance(target, str):
                        assert getattr(found, target) in (IDS[0], [IDS[0]]), (service, place)
                    else:
                        assert found.resources == [(*target, IDS[0])], (service, place)
                assert mentions(service, {"server": {"metadata": member}}) == mentions(service, {})
                assert mentions(service, {"server": {"deeper": {"still": member}}}).resources == []
