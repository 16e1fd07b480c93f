"""The pod of what no id leads to."""
from types import SimpleNamespace

import pytest

from tricircle.errors import BadRequest
from tricircle.routing.catalogue import COMPUTE, VOLUME, parse
from tricircle.routing.placement import place
from tricircle.routing.references import mentions
from tricircle.store import Database, pods

CALLER = SimpleNamespace(project_id="mine")
ID = "11111111-2222-4333-8444-555555555555"


class Lists:
    """Pods that show something at some paths, and things whose homes are known.

    Args:
        shown: {path: rows of the pods}.
        homes: {(service, collection, id): row}.
    """

    def __init__(self, shown=None, homes=None):
        self.shown, self.homes = shown or {}, homes or {}

    def having(self, _caller, _service, path, *_):
        return self.shown.get(path, [])

    def find_many(self, _caller, named):
        return {each: self.homes.get(each) for each in named}


@pytest.fixture
def two(tmp_path):
    db = Database(tmp_path / "tricircle.sqlite")
    db.upgrade()
    return db, *(pods.create(db, name, name.lower()) for name in ("Pod1", "Pod2"))


def chosen(db, lists, service, path, body=None):
    found = parse(service, path)
    return place(db, lists, CALLER, found, mentions(service.name, body), "mine").pod["pod_name"]


@pytest.mark.parametrize(("path", "body", "asked"), [
    ("/v3/manageable_volumes", {"volume": {"host": "node2@nfs#pool", "ref": {}}}, "os-services?host=node2%40nfs"),
    ("/v3/os-volume-manage", {"volume": {"host": "node2@nfs#pool", "ref": {}}}, "os-services?host=node2%40nfs"),
    ("/v3/workers/cleanup", {"host": "node2@nfs"}, "os-services?host=node2%40nfs"),
    ("/v3/os-services/disable", {"host": "node2", "binary": "cinder-volume"}, "os-services?host=node2"),
    ("/v3/clusters/disable", {"name": "fast@nfs", "binary": "cinder-volume"}, "clusters?name=fast%40nfs")])
def test_a_host_or_cluster_in_the_body(two, path, body, asked):
    db, first, second = two
    assert chosen(db, Lists({f"/v3/{asked}": [second]}), VOLUME, path, body) == "Pod2"
    assert chosen(db, Lists(), VOLUME, path, body) == "Pod1"   # which says that there is none
    with pytest.raises(BadRequest, match="Pod1, Pod2"):
        chosen(db, Lists({f"/v3/{asked}": [first, second]}), VOLUME, path, body)


@pytest.mark.parametrize(("service", "path", "body"), [
    (VOLUME, "/v3/workers/cleanup", {"host": "a" * 256}),
    (VOLUME, "/v3/manageable_volumes", {"volume": {"host": "a" * 256, "ref": {}}}),
    (VOLUME, "/v3/clusters/disable", {"name": "a" * 256}),
    (COMPUTE, "/v2.1/servers", {"server": {"host": "a" * 256}}),
    (COMPUTE, "/v2.1/servers", {"server": {"hypervisor_hostname": "a" * 256}})])
def test_no_pod_is_asked_for_a_name_that_is_too_long(two, service, path, body):
    """It would be in the URL, which a pod's server may cut off; the pod that gets the request judges its body."""
    lists = Lists()
    lists.having = None   # would raise
    assert chosen(two[0], lists, service, path, body) == "Pod1"


@pytest.mark.parametrize(("path", "thing"), [
    (f"/v2.1/os-assisted-volume-snapshots/{ID}", ("volume", "snapshots", ID)),
    (f"/v2.1/os-security-group-rules/{ID}", ("network", "security-group-rules", ID)),
    (f"/v2.1/os-networks/{ID}", ("network", "networks", ID))])
def test_another_side_of_a_thing(two, path, thing):
    db, _, second = two
    assert chosen(db, Lists(homes={thing: second}), COMPUTE, path) == "Pod2"
