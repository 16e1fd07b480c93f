"""What a bulk create does whatever becomes of a part, and how its records and a write's `fields` are read."""
import json
import time
from types import SimpleNamespace

import pytest

from tricircle.api import bulk, network, pool_subnets, uncut
from tricircle.api.message import Request, Response
from tricircle.errors import BadRequest, Unavailable
from tricircle.routing.catalogue import NETWORK, parse
from tricircle.routing.collections import COLLECTIONS
from tricircle.upstream.deadline import Deadline

ZONED = [{"name": "a", "availability_zone_hints": ["az1"]}, {"name": "b", "availability_zone_hints": ["az2"]}]


def posted(document, query="", collection="networks"):
    """(request, its path) of a create."""
    body = json.dumps(document).encode()
    request = Request("POST", f"/v2.0/{collection}", query, {}, body, "http://gateway", "req", body_json=document)
    return request, parse(NETWORK, request.path)


class Serving:
    """Makes each part and notes what is deleted; `second` stands for what becomes of the second part."""

    def __init__(self, second=None, seconds=0.0):
        self.second, self.seconds, self.made, self.deleted = second, seconds, [], []

    def __call__(self, request, path):
        time.sleep(self.seconds)
        if request.method == "DELETE":
            self.deleted.append(path.member)
            return Response(204)
        if self.made and self.second:
            raise self.second
        self.made.append(request.body_json["network"]["name"])
        return Response.of_json(201, {"network": {"id": f"id-{self.made[-1]}"}})


def split(serving, document, deadline=60.0, collection="networks"):
    gateway = SimpleNamespace(upstream=SimpleNamespace(conf=SimpleNamespace(deadline=deadline)))
    request, path = posted(document, collection=collection)
    return bulk.split(gateway, request, path, serving)


@pytest.mark.parametrize("error", [KeyError("id"), ValueError("no JSON"), Unavailable("away")])
def test_whatever_is_raised_undoes_what_was_made(error):
    serving = Serving(error)
    with pytest.raises(type(error)):
        split(serving, {"networks": ZONED})
    assert (serving.made, serving.deleted) == (["a"], ["id-a"])


def test_parts_that_take_too_long_are_undone():
    serving = Serving(seconds=0.02)
    with pytest.raises(Unavailable, match="none of them was made"):
        split(serving, {"networks": ZONED}, deadline=0.01)
    assert (serving.made, serving.deleted) == (["a"], ["id-a"])


def test_what_is_undone_is_undone_while_there_is_time(caplog):
    serving, (request, path) = Serving(seconds=0.02), posted({"networks": ZONED})
    bulk._undo(request, path, [{"id": "a"}, {"id": "b"}], serving, Deadline(0.01))
    assert serving.deleted == ["b"]
    assert "networks a stays" in caplog.text


@pytest.mark.parametrize(("collection", "plural", "words"), [
    ("routers", "routers", "Bulk operation not supported"), ("floatingips", "floatingips", "Bulk operation"),
    ("subnetpools", "subnetpools", "Bulk operation"),
    ("rbac-policies", "rbac_policies", "Unable to find 'rbac_policy' in request body")])
def test_what_neutron_makes_one_by_one_is_not_split(collection, plural, words):
    with pytest.raises(BadRequest, match=words):
        split(Serving(), {plural: ZONED}, collection=collection)


def test_external_networks_of_one_pod_are_one_part():
    external = [{"router:external": True, "availability_zone_hints": ["Pod2"]}] * 3
    assert split(Serving(), {"networks": external}) is None


@pytest.mark.parametrize(("value", "external"), [
    *((value, True) for value in (True, 1, "1", "true", "True", "t", "Y", " on ", "yes")),
    *((value, False) for value in (False, 0, "0", "false", "no", "off", "n", "F", None, 5, "x", [], {}, 1.0, [1]))])
@pytest.mark.parametrize("wrap", [lambda row: {"network": row}, lambda row: {"networks": [row, row]}])
def test_a_network_is_external_where_neutron_says_so(monkeypatch, value, external, wrap):
    monkeypatch.setattr(network.generic, "perform", lambda *_, **how: how)
    request, path = posted(wrap({"router:external": value, "availability_zone_hints": ["Pod2"]}))
    assert network.networks(None, request, path) == ({"external": True} if external else None)


def test_neutron_looks_for_several_first():
    request, path = posted({"network": {"router:external": True}, "networks": [{"name": "a"}]})
    assert bulk.members(request, path) == [{"name": "a"}]
    assert network.networks(None, request, path) is None


@pytest.mark.parametrize(("given", "plain"), [
    ([{"network": {"name": "a"}, "more": 1}, {"name": "b"}], [{"name": "a"}, {"name": "b"}]),
    ([{"network": {"network": {"name": "a"}}}], [{"network": {"network": {"name": "a"}}}]),
    ([{"network": 5}], [{"network": 5}]), ([5], [5]), ([], []), ({}, {}), (None, None)])
def test_wrapped_records_are_read_as_neutron_reads_them(given, plain):
    request, path = posted({"networks": given})
    assert bulk.unwrapped(request, path).body_json["networks"] == plain


@pytest.mark.parametrize(("collection", "given", "read"), [
    ("networks", {"network": {"name": "a"}, "networks": ZONED}, {"networks": ZONED}),
    ("networks", {"x": {"project_id": "p"}, "networks": ZONED, "network": 5}, {"networks": ZONED}),
    ("networks", {"x": {"project_id": "p"}, "network": {"name": "a"}}, {"network": {"name": "a"}}),
    ("networks", {"network": {"name": "a"}, "networks": [5]}, {"network": {"name": "a"}, "networks": [5]}),
    ("rbac-policies", {"rbac_policy": {}, "rbac_policies": [{}, {}]}, {"rbac_policy": {}}),
    ("rbac-policies", {"rbac_policies": [{}, {}]}, {"rbac_policies": [{}, {}]}), ("networks", {"x": {}}, {"x": {}})])
def test_nothing_is_read_but_what_neutron_makes(collection, given, read):
    request, path = posted(given, collection=collection)
    found = bulk.unwrapped(request, path)
    assert found.body_json == json.loads(found.body) == read


@pytest.mark.parametrize(("given", "drawn"), [
    *(({"use_default_subnetpool": value}, True) for value in (True, 1, "yes", "on", "t", " True ")),
    *(({"use_default_subnetpool": value}, False) for value in (False, None, "no", "x", [])), ({}, False),
    ({"subnetpool_id": "x"}, True)])
def test_a_subnet_is_from_a_pool_where_neutron_says_so(given, drawn):
    assert pool_subnets._is_drawn(given) is drawn


@pytest.mark.parametrize(("query", "asked", "shown"), [
    ("fields=name", "", [{"name": "a"}]), ("x=1&fields=name&fields=mtu", "x=1", [{"name": "a", "mtu": 1}]),
    ("fields=", "", [{}]), ("x=1", "x=1", [{"id": "i", "name": "a", "mtu": 1}])])
def test_fields_are_cut_after_the_answer(query, asked, shown):
    def serve(request):
        assert request.query == asked
        return Response.of_json(201, {"networks": [{"id": "i", "name": "a", "mtu": 1}]})

    answer = uncut.answered(*posted({"networks": ZONED}, query), serve)
    assert json.loads(answer.body) == {"networks": shown}


@pytest.mark.parametrize("collection", ["routers", "subnetpools"])
def test_a_resource_of_an_extension_is_answered_whole(collection):
    made = {collection.removesuffix("s"): {"id": "i", "name": "a"}}
    answer = uncut.answered(*posted(made, "fields=name", collection), lambda _: Response.of_json(201, made))
    assert json.loads(answer.body) == made


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b"null", b'{"networks":null}', b'{"networks":[5]}', b"{}"])
def test_what_an_odd_pod_answers_is_not_cut(body):
    answer = uncut.answered(*posted({"networks": ZONED}, "fields=name"), lambda _: Response(201, [], body))
    assert answer.body == body


def test_what_is_made_together_is_in_the_catalogue():
    """A spelling that the catalogue does not have would be refused for ever."""
    assert COLLECTIONS["network"].keys() >= bulk.TOGETHER
