"""What Cinder makes of several things at once, or gives to somebody: how much of a quota that takes."""
import json
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from tricircle.routing import takes
from tricircle.routing.caller import Caller, Identity
from tricircle.routing.catalogue import SERVICES, parse
from tricircle.routing.takes import Look
from tricircle.store import Database, pods, replicas

GROUP, SHOT, BACKUP, DISK, TYPE, TYPE_THERE = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "abcdef")
VOLUMES = [{"id": "1", "size": 2, "volume_type": "std", "group_id": GROUP},
           {"id": "2", "size": 3, "volume_type": "fast", "group_id": GROUP},
           {"id": "3", "size": 50, "volume_type": "std", "group_id": None}]
SNAPSHOTS = [{"volume_id": "1", "size": 2, "group_snapshot_id": SHOT},
             {"volume_id": "2", "size": 1, "group_snapshot_id": SHOT},
             {"volume_id": "9", "size": 1, "group_snapshot_id": SHOT},
             {"volume_id": "3", "size": 50, "group_snapshot_id": None}]
SHOWN = {"volumes/detail": {"volumes": VOLUMES}, "snapshots/detail": {"snapshots": SNAPSHOTS},
         f"group_snapshots/{SHOT}": {"group_snapshot": {"group_id": GROUP}},
         f"backups/{BACKUP}": {"backup": {"size": 4}}, "types/default": {"volume_type": {"name": "std"}},
         f"volumes/{DISK}": {"volume": {"size": 5, "volume_type": "std"}},
         "types/fast": {"volume_type": {"name": "fast"}}, f"types/{TYPE_THERE}": {"volume_type": {"name": "std"}}}


def answer(_pod, _service, _method, path, headers, **_):
    """A Cinder that shows groups to those who speak a new enough version."""
    where = urlsplit(path).path.removeprefix("/v3/mine/")
    found = SHOWN.get(where)
    if "group_snapshot" in where and headers.get("OpenStack-API-Version") != "volume 3.14":
        found = None
    return SimpleNamespace(ok=found is not None, json=lambda: json.loads(json.dumps(found)))


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """A store that knows what the pod calls a volume type of the user's."""
    made = Database(tmp_path_factory.mktemp("db") / "db")
    made.upgrade()
    pod = pods.create(made, "Pod1", "az1")
    replicas.adopt(made, TYPE, pod["pod_id"], "types", TYPE_THERE)
    return made


def units(db, path, body):
    """{quota name: number} of a POST; None when nothing is taken."""
    pod = pods.by_name(db)["Pod1"]
    look = Look(db, SimpleNamespace(call=answer), Caller(Identity(project_id="mine"), {}), pod, None)
    parsed = parse(SERVICES["volume"], path)
    take = takes.find("POST", parsed, body)
    record = look.at(*take.record, parsed.member) if take and take.record else {}
    found = take and take.amount(look, body[take.member], record)
    return found and {name: number for (_, name), number in found.units.items()}


BOTH = {"groups": 1, "volumes": 2, "volumes_std": 1, "volumes_fast": 1, "gigabytes": 5, "gigabytes_std": 2,
        "gigabytes_fast": 3}
FROM_SHOT = {"groups": 1, "volumes": 3, "volumes_std": 1, "volumes_fast": 1, "gigabytes": 4, "gigabytes_std": 2,
             "gigabytes_fast": 1}
SHOTS = {"snapshots": 2, "snapshots_std": 1, "snapshots_fast": 1, "gigabytes": 5, "gigabytes_std": 2,
         "gigabytes_fast": 3}


@pytest.mark.parametrize(("path", "body", "wanted"), [
    ("/v3/groups/action", {"create-from-src": {"source_group_id": GROUP}}, BOTH),
    ("/v3/groups/action", {"create-from-src": {"group_snapshot_id": SHOT}}, FROM_SHOT),
    (f"/v3/groups/{GROUP}/action", {"create-from-src": {"source_group_id": GROUP}}, BOTH),   # the same to Cinder
    ("/v3/consistencygroups/create_from_src", {"consistencygroup-from-src": {"source_cgid": GROUP}}, BOTH),
    ("/v3/consistencygroups/create_from_src", {"consistencygroup-from-src": {"cgsnapshot_id": SHOT}}, FROM_SHOT),
    ("/v3/consistencygroups", {"consistencygroup": {}}, {"groups": 1}),
    ("/v3/group_snapshots", {"group_snapshot": {"group_id": GROUP}}, SHOTS),
    ("/v3/cgsnapshots", {"cgsnapshot": {"consistencygroup_id": GROUP}}, SHOTS),
    ("/v3/os-volume-transfer/x/accept", {"accept": {"auth_key": "k"}}, {"volumes": 1, "gigabytes": 1}),
    ("/v3/volume-transfers/x/accept", {"accept": {"auth_key": "k"}}, {"volumes": 1, "gigabytes": 1}),
    (f"/v3/backups/{BACKUP}/restore", {"restore": {}},
     {"volumes": 1, "volumes_std": 1, "gigabytes": 4, "gigabytes_std": 4}),
    (f"/v3/volumes/{DISK}/action", {"os-retype": {"new_type": "fast"}}, {"volumes_fast": 1, "gigabytes_fast": 5}),
    # Reports 12: a type by the id that Tricircle shows.
    ("/v3/volumes", {"volume": {"size": 2, "volume_type": TYPE}},
     {"volumes": 1, "volumes_std": 1, "gigabytes": 2, "gigabytes_std": 2})])
def test_amounts(db, path, body, wanted):
    assert units(db, path, body) == wanted


@pytest.mark.parametrize(("path", "body"), [
    ("/v3/groups/action", {"create-from-src": {"source_group_id": DISK}}),
    ("/v3/groups/action", {"create-from-src": {}}), ("/v3/groups/action", {"create-from-src": {"source_group_id": []}}),
    ("/v3/groups/action", {"create-from-src": {"group_snapshot_id": {"a": 1}}}),
    ("/v3/group_snapshots", {"group_snapshot": {"group_id": None}}),
    (f"/v3/groups/{GROUP}/action", {"delete": {}}), (f"/v3/backups/{BACKUP}/restore", {"restore": {"volume_id": DISK}}),
    (f"/v3/volumes/{DISK}/action", {"os-retype": {"new_type": "std"}}),
    (f"/v3/volumes/{DISK}/action", {"os-retype": {"new_type": 5}})])
def test_what_takes_nothing(db, path, body):
    assert units(db, path, body) is None
