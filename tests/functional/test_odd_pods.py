"""A pod whose answers are JSON and make no sense is named as one that does not answer; nobody gets a 500 for it."""
import json

import pytest

from tests.functional.spoken import spoken
from tests.functional.user import User

RECORDS = ([5, None], [{}], ["text"], [[]], [{"id": None}], [{"id": ["x"]}], [{"id": {}, "name": 5}],
           [{"id": "x", "availability_zone": [5]}], [{"id": "x"}, 7],
           [{"id": "x", "project_id": {"a": 1}, "name": "default"}], [{"keypair": {"name": ["a"]}}],
           [{"alias": ["a"]}], [{"id": "x", "members": 5}], [{"id": "x", "name": ["a"]}])
LINKS = ([5], 5, {}, [None], [{"rel": ["next"]}], [{"rel": "next"}])
PATHS = (("network", "/networks", "networks"), ("network", "/security-groups", "security_groups"),
         ("network", "/networks?limit=2", "networks"), ("compute", "/servers/detail", "servers"),
         ("compute", "/servers?limit=2&sort_key=display_name", "servers"), ("compute", "/os-keypairs", "keypairs"),
         ("compute", "/os-server-groups", "server_groups"), ("compute", "/flavors/detail", "flavors"),
         ("compute", "/extensions", "extensions"), ("volume", "/types", "volume_types"),
         ("volume", "/volumes/detail?limit=2", "volumes"), ("volume", "/snapshots", "snapshots"))


@pytest.fixture(scope="module")
def user(gateway):
    """Somebody with something of each service in both pods."""
    made = User(gateway)
    for zone in ("az1", "az2"):
        made.net(zone)
        made.boot(zone=zone)
        made.volume.ok("POST", "/volumes", {"volume": {"size": 1, "availability_zone": zone}})
    return made


@pytest.mark.parametrize("pod", ["Pod1", "Pod2"])
@pytest.mark.parametrize(("service", "path", "key"), PATHS)
def test_odd_records_break_nothing(cloud, user, service, path, key, pod):
    documents = [{key: records} for records in RECORDS] + [
        {key: [{"id": "x"}, {"id": "y"}], f"{key}_links": links} for links in LINKS] + [
        {key: 5}, {key: {}}, {key: None}, {}, {key: [], "more": []}, {"errors": [{"id": "x"}]}, [], [5], 5, None,
        "text"]
    told = []

    def answer(_):
        return 200, [("Content-Type", "application/json")], json.dumps(told[-1]).encode()

    spoken(cloud, service, f"GET .*{path.partition('?')[0]}", answer, pod)
    for document in documents:
        told.append(document)
        found = getattr(user, service).get(path)
        assert found.status in (200, 503), (document, found.raw)
        unreachable = found.headers.get("X-Tricircle-Unreachable-Pods", pod)
        assert unreachable == pod, (document, found.raw)   # never the one that makes sense
        assert key in found.body or found.status == 503, (document, found.raw)
        sound = isinstance(document, dict) and isinstance(document.get(key), list) and "more" not in document and all(
            isinstance(each, dict) and isinstance(each.get("id", ""), str) for each in document[key])
        if not sound:
            assert "X-Tricircle-Unreachable-Pods" in found.headers, (document, found.raw)
