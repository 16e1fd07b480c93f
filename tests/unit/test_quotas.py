"""What requests take, whether it fits, and how pods' numbers become one."""
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.api.over_quota import refusal
from tricircle.routing import claiming, projects, takes, usage
from tricircle.routing.catalogue import SERVICES, parse
from tricircle.routing.room import Room
from tricircle.routing.takes import Amount
from tricircle.store import Database, claims, quotas
from tricircle.store.db import now

CALLER = SimpleNamespace(project_id="mine")
ID = "11111111-2222-4333-8444-555555555555"
VOLUME = {"size": 3, "volume_type": "fast", "os-vol-tenant-attr:tenant_id": "theirs"}


@pytest.fixture
def db(tmp_path):
    found = Database(tmp_path / "tricircle.sqlite")
    found.upgrade()
    return found


RECORDS = {("flavors", "big"): {"vcpus": 4, "ram": 512}, ("volumes", ID): VOLUME, ("types", ID): {"name": "slow"},
           ("types", "default"): {"name": "std"}, ("snapshots", ID): {"size": 2, "volume_id": ID}}


class Look:
    """Finds what is in a table."""

    def at(self, _service, _member, collection, key):
        return RECORDS.get((collection, key), {})

    def volume(self, key):
        return self.at("volume", "volume", "volumes", key)


def amount(service, path, body, record=None, method="POST"):
    parsed = parse(SERVICES[service], path)
    take = takes.find(method, parsed, body)
    return take and take.amount(Look(), body[take.member], record or {})


COMPUTE, DISK, NET = "compute", "volume", "network"
TYPED = {("volume", "volumes"): 1, ("volume", "volumes_std"): 1, ("volume", "gigabytes"): 5,
         ("volume", "gigabytes_std"): 5}


@pytest.mark.parametrize(("service", "path", "body", "record", "units"), [
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "http://x/flavors/big"}}, None,
     {(COMPUTE, "instances"): 1, (COMPUTE, "cores"): 4, (COMPUTE, "ram"): 512}),
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "big", "networks": [{"uuid": ID}, {"port": ID}]}}, None,
     {(COMPUTE, "instances"): 1, (COMPUTE, "cores"): 4, (COMPUTE, "ram"): 512, (NET, "port"): 1}),
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "big", "block_device_mapping_v2": [
        {"source_type": "image", "destination_type": "volume", "volume_size": "7"},
        {"source_type": "snapshot", "destination_type": "volume", "uuid": ID},
        {"source_type": "blank", "destination_type": "local", "volume_size": 9},
        {"source_type": "volume", "destination_type": "volume", "uuid": ID}, 5,
        {"source_type": [], "volume_size": {}}]}},
     None, {(COMPUTE, "instances"): 1, (COMPUTE, "cores"): 4, (COMPUTE, "ram"): 512, (DISK, "volumes"): 2,
            (DISK, "gigabytes"): 9, (DISK, "volumes_std"): 1, (DISK, "gigabytes_std"): 7, (DISK, "volumes_fast"): 1,
            (DISK, "gigabytes_fast"): 2}),
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "big", "block_device_mapping_v2": [
        {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "volume_type": ID},
        {"source_type": "blank", "destination_type": "volume", "volume_size": 2, "volume_type": "slow"},
        {"source_type": "snapshot", "destination_type": "volume", "uuid": ID, "volume_type": "huge"}]}},
     None, {(COMPUTE, "instances"): 1, (COMPUTE, "cores"): 4, (COMPUTE, "ram"): 512, (DISK, "volumes"): 3,
            (DISK, "gigabytes"): 5, (DISK, "volumes_slow"): 2, (DISK, "gigabytes_slow"): 3, (DISK, "volumes_huge"): 1,
            (DISK, "gigabytes_huge"): 2}),
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "big", "block_device_mapping": [
        {"device_name": "vda", "snapshot_id": ID, "volume_size": "6"}, {"device_name": "vdb", "snapshot_id": ID},
        {"device_name": "vdc", "volume_id": ID}, {"virtual_name": "ephemeral0", "snapshot_id": ID}, "x",
        {"virtual_name": "swap", "volume_size": 9}, {"device_name": "vdd", "no_device": True}]}},
     None, {(COMPUTE, "instances"): 1, (COMPUTE, "cores"): 4, (COMPUTE, "ram"): 512, (DISK, "volumes"): 2,
            (DISK, "gigabytes"): 8, (DISK, "volumes_fast"): 2, (DISK, "gigabytes_fast"): 8}),
    (COMPUTE, f"/v2.1/servers/{ID}/action", {"resize": {"flavorRef": "big"}}, {"flavor": {"vcpus": 1, "ram": 1024}},
     {(COMPUTE, "cores"): 3}),
    (COMPUTE, "/v2.1/os-server-groups", {"server_group": {}}, None, {(COMPUTE, "server_groups"): 1}),
    (DISK, "/v3/volumes", {"volume": {"size": "5"}}, None, TYPED),
    (DISK, "/v3/volumes", {"volume": {"snapshot_id": ID}}, None,
     {(DISK, "volumes"): 1, (DISK, "volumes_fast"): 1, (DISK, "gigabytes"): 2, (DISK, "gigabytes_fast"): 2}),
    (DISK, "/v3/volumes", {"volume": {"size": 1, "volume_type": ID}}, None,
     {(DISK, "volumes"): 1, (DISK, "volumes_slow"): 1, (DISK, "gigabytes"): 1, (DISK, "gigabytes_slow"): 1}),
    (DISK, "/v3/snapshots", {"snapshot": {"volume_id": ID}}, None,
     {(DISK, "snapshots"): 1, (DISK, "snapshots_fast"): 1, (DISK, "gigabytes"): 3, (DISK, "gigabytes_fast"): 3}),
    (DISK, "/v3/backups", {"backup": {"volume_id": ID}}, None, {(DISK, "backups"): 1, (DISK, "backup_gigabytes"): 3}),
    (DISK, f"/v3/volumes/{ID}/action", {"os-extend": {"new_size": 7}}, VOLUME,
     {(DISK, "gigabytes"): 4, (DISK, "gigabytes_fast"): 4}),
    (NET, "/v2.0/security-groups", {"security_group": {}}, None, {(NET, "security_group"): 1}),
    (NET, "/v2.0/ports", {"ports": [{}, {}, {}]}, None, {(NET, "port"): 3}),
    (NET, "/v2.0/ports", {"port": {}, "ports": [{}, {}]}, None, {(NET, "port"): 2}),   # as Neutron reads it
    (NET, "/v2.0/rbac-policies", {"rbac_policy": {}}, None, {(NET, "rbac_policy"): 1}),
])
def test_amounts(service, path, body, record, units):
    assert amount(service, path, body, record).units == units


@pytest.mark.parametrize(("service", "path", "body", "method"), [
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "unknown"}}, "POST"),
    (COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "big", "min_count": "many"}}, "POST"),
    (COMPUTE, "/v2.1/servers", {"server": []}, "POST"), (COMPUTE, "/v2.1/servers", {}, "POST"),
    (COMPUTE, f"/v2.1/servers/{ID}/action", {"reboot": {}}, "POST"),
    (DISK, "/v3/volumes", {"volume": {"size": True}}, "POST"), (DISK, "/v3/volumes", {"volume": {"size": -1}}, "POST"),
    (NET, f"/v2.0/networks/{ID}", {"network": {}}, "PUT"), (NET, "/v2.0/networks", {"bogus": {}}, "POST"),
])
def test_what_takes_nothing(service, path, body, method):
    assert amount(service, path, body, method=method) is None


def test_min_and_max_count():
    def counts(**given):
        found = amount(COMPUTE, "/v2.1/servers", {"server": {"flavorRef": "big", **given}})
        return found.least, found.most
    assert [counts(), counts(min_count=2), counts(max_count="3"), counts(min_count=2, max_count=5)] == [
        (1, 1), (2, 2), (1, 3), (2, 5)]


def test_a_volume_types_quota_is_counted_as_late_as_that_of_all():
    """Nova makes a server's volumes on its host."""
    kinds = claiming._kinds(Amount({(DISK, "volumes_fast"): 1, (DISK, "backup_gigabytes"): 1, (NET, "port_x"): 1}))
    assert kinds & {*claiming.ON_HOST, (NET, "port_x")} == {(DISK, "volumes"), (NET, "port_x")}


def test_whose_quota():
    assert takes.owner(CALLER, {}) == "mine"
    assert takes.owner(CALLER, VOLUME) == "theirs"
    assert takes.owner(CALLER, {"project_id": 5}) == "mine"


@pytest.mark.parametrize("named", [
    "{own}?x&project_id={other}", "{own}/details?x&project_id={other}", "{own}&x", "a" * 65, "{other}\n", "{own}#",
    "../{other}", 5, ["{other}"], ""])
def test_a_text_that_is_no_project_is_asked_about_nowhere(named):
    """It would come into URLs that are asked with our own account."""
    own, other, asked = "a" * 32, "b" * 32, []
    upstream = SimpleNamespace(conf=SimpleNamespace(list_deadline=15.0), call=lambda *args, **_: asked.append(args))
    if isinstance(named, str):
        named = named.format(own=own, other=other)
    caller = SimpleNamespace(project_id=own, headers={})
    given = [{"project_id": named}, {"tenant_id": named}]
    assert projects.owners(upstream, caller, ["Pod1", "Pod2"], given) == [own, own]
    assert asked == []


KEY = ("compute", "instances")


def row(claim, number, ended=None, service="compute", name="instances"):
    return {"claim_id": claim, "pod_id": "p", "service": service, "name": name, "amount": number, "ended_at": ended}


def test_room():
    one, ended = Amount({KEY: 1}), frozenset({"b"})
    room = Room({KEY: 10}, {KEY: 7}, [row("a", 2), row("b", 5, 1.0)], ended)
    assert (room.at_best(one), room.at_worst(one)) == (1, 1)
    assert room.over(Amount({KEY: 2})) == {KEY: (10, 9)}
    assert Room({KEY: 10}, {KEY: 9}, [row("a", 2)], ended).over(Amount({KEY: 2})) == {KEY: (10, 9)}
    assert Room({KEY: -1}, {KEY: 99}, [], ended).at_worst(Amount({KEY: 4}, 1, 50)) == 50
    assert Room({KEY: 10}, {KEY: 4}, [], ended).at_best(Amount({KEY: 4}, 1, 50)) == 1
    assert Room({}, {}, [row("a", None)], ended).unknown(one)
    assert not Room({}, {}, [row("b", None), row("a", None, service="volume")], ended).unknown(one)


@given(st.integers(-1, 30), st.integers(0, 30), st.lists(st.integers(1, 5)), st.integers(1, 4), st.integers(1, 6))
def test_what_is_let_in_fits(limit, used, amounts, unit, most):
    asked = Amount({KEY: unit}, 1, most)
    room = Room({KEY: limit}, {KEY: used}, [row(str(n), number) for n, number in enumerate(amounts)], frozenset())
    count = room.at_worst(asked)
    assert 0 <= count <= room.at_best(asked) <= most
    assert limit == -1 or not count or used + sum(amounts) + unit * count <= limit
    assert bool(room.over(asked)) == (count < most)


def test_pods_numbers_become_one():
    pods = {"a": {"id": "x", "cores": {"limit": 20, "in_use": 3, "reserved": 1}, "ram": {"limit": -1, "in_use": 1}},
            "b": {"id": "x", "cores": {"limit": 10, "in_use": 4, "reserved": 0}, "ram": {"limit": -1, "in_use": 2},
                  "volumes_fast": {"limit": 5, "in_use": 1}}}
    assert usage.combine(pods, {"a", "b"}, {"ram": 77}) == {
        "id": "x", "cores": {"limit": 10, "in_use": 7, "reserved": 1}, "ram": {"limit": 77, "in_use": 3},
        "volumes_fast": {"limit": 5, "in_use": 1}}
    assert usage.combine(pods, {"a"}, {})["cores"] == {"limit": 20, "in_use": 7, "reserved": 1}
    flat = {"a": {"cores": -1, "ram": 5}, "b": {"cores": 8, "ram": 9}}
    assert usage.combine(flat, set(), {}) == {"cores": 8, "ram": 5}
    assert usage.combine(flat, {"b"}, {"cores": -1}) == {"cores": -1, "ram": 9}


@given(st.lists(st.integers(-1, 50), min_size=1))
def test_the_smallest_limit_binds(limits):
    found = usage.smallest(limits)
    assert found in limits
    assert all(limit == -1 or -1 < found <= limit for limit in limits)


def test_replicas_are_counted():
    rows = {"router": [{"id": "r", "description": ""}, {"id": "copy", "description": "tricircle:r9"}],
            "security_group": [{"id": "d", "name": "default", "description": "Default security group"},
                               {"id": "own", "name": "web", "description": ""},
                               {"id": "known", "name": "db", "description": "somebody wiped the mark"}],
            "security_group_rule": [{"security_group_id": each} for each in ("d", "d", "own", "known")]}
    ours = {"copy", "known", "d"}
    assert usage.count_replicas(rows, ours) == {"router": 1, "security_group": 2, "security_group_rule": 3}
    assert usage.count_replicas(rows, {"known"}) == {"router": 0, "security_group": 1, "security_group_rule": 1}
    assert usage.count_replicas({"router": rows["router"]}, ours) == {"router": 1}


@pytest.mark.parametrize(("service", "over", "status", "words"), [
    (COMPUTE, {(COMPUTE, "cores"): (20, 19), KEY: (10, 10)}, 403,
     "Quota exceeded for cores, instances: Requested 4, 1, but already used 19, 10 of 20, 10 cores, instances"),
    (COMPUTE, {(COMPUTE, "server_groups"): (1, 1)}, 403, "Quota exceeded, too many server groups."),
    (COMPUTE, {(NET, "port"): (1, 1)}, 403, "Maximum number of ports exceeded"),
    (DISK, {(DISK, "gigabytes"): (9, 7), (DISK, "volumes"): (1, 1)}, 413,
     "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 3G, "
     "quota is 9G and 7G has been consumed."),
    (DISK, {(DISK, "volumes_fast"): (1, 1)}, 413,
     "\"VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes_fast'."),
    (DISK, {(DISK, "backup_gigabytes"): (9, 7)}, 413,
     "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes quota. Requested 3G, "
     "quota is 9G and 7G has been consumed."),
    (NET, {(NET, "port"): (5, 5)}, 409, "Quota exceeded for resources: ['port']."),
])
def test_words(service, over, status, words):
    units = {KEY: 1, (COMPUTE, "cores"): 4, (DISK, "gigabytes"): 3, (DISK, "backup_gigabytes"): 3,
             (DISK, "volumes_fast"): 1}
    answer = refusal(SimpleNamespace(service=SERVICES[service]), Amount(units), over)
    assert answer.status == status
    assert words in answer.body.decode()


def test_one_of_fifty_gets_the_last_one(db):
    start, taken = threading.Barrier(50), []

    def run():
        start.wait(30)
        taken.append(claims.take(db, "p", "pod", 60, lambda rows: None if rows else {KEY: 1}))
        db.close()
    threads = [threading.Thread(target=run) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([claim for claim in taken if claim]) == 1


def test_a_claims_life(db):
    claims.note_usage(db, "p", "pod", {KEY: 4})
    def take(seconds=60):
        return claims.take(db, "p", "pod", seconds, lambda _: {KEY: 2, ("network", "port"): None})
    made, failed, killed = take(), take(), take(-1)
    assert {found["claim_id"] for found in claims.of_project(db, "p")} == {made, failed}, "the dead one's ran out"
    claims.release(db, failed)
    claims.end(db, made)
    rows = claims.of_project(db, "p")
    assert {found["claim_id"] for found in rows} == {made}
    assert all(found["ended_at"] for found in rows)
    assert claims.usage(db, "p", "pod") == {KEY: 6}
    with db.write() as c:
        c.execute("UPDATE quota_claims SET ended_at = ? WHERE claim_id = ?", (now() - claims.KEPT_SECONDS - 1, made))
    take()
    assert {made, killed} & {found["claim_id"] for found in db.rows("SELECT * FROM quota_claims")} == set()


def test_numbers_and_their_reset(db):
    key = ("compute", "os-quota-sets", "p")
    quotas.put(db, *key, {"cores": 5, "ram": 9})
    quotas.put(db, *key, {"cores": -1})
    assert quotas.numbers(db, *key) == {"cores": -1, "ram": 9}
    quotas.reset(db, *key)
    first = quotas.told(db, *key)[quotas.RESET]
    assert quotas.numbers(db, *key) == {}
    quotas.put(db, *key, {"ram": 3})
    quotas.reset(db, *key)
    quotas.reset_done(db, *key, first)
    assert quotas.owners(db) == [key], "a later reset is still owed"
    quotas.reset_done(db, *key, quotas.told(db, *key)[quotas.RESET])
    assert quotas.owners(db) == []
