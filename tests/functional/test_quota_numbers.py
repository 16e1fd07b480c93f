"""Quotas and limits as they are read and set, of a project that lives in two pods."""
import json

import pytest

from tests.functional.gateway import Gateway, until
from tests.functional.quotas import SETS, at_home_in_both, boot, count, put
from tests.functional.user import User, flavor


@pytest.fixture
def boss(gateway):
    """The administrator."""
    return User(gateway, "admin")


@pytest.fixture
def user(gateway):
    """A new user in a new project, with something in both pods."""
    return at_home_in_both(gateway)


def test_usage_is_the_sum(cloud, gateway, boss, user):
    flavor(gateway)
    for zone in ("az1", "az2", "az2"):
        assert boot(user, zone).status == 202
        user.disk(zone, size=2)
    assert user.compute.ok("GET", f"/os-quota-sets/{user.project}/detail")["quota_set"]["instances"] == {
        "limit": 10, "in_use": 3, "reserved": 0}
    for client, query in ((user, ""), (boss, f"?tenant_id={user.project}")):
        absolute = client.compute.ok("GET", f"/limits{query}")["limits"]["absolute"]
        assert (absolute["totalInstancesUsed"], absolute["totalRAMUsed"], absolute["maxTotalInstances"]) == (3, 192, 10)
    volumes = user.volume.ok("GET", f"/os-quota-sets/{user.project}?usage=True")["quota_set"]
    assert volumes["gigabytes"] == {"limit": 1000, "in_use": 6, "reserved": 0}
    assert user.volume.ok("GET", "/limits")["limits"]["absolute"]["totalVolumesUsed"] == 3
    assert user.network.ok("GET", f"/quotas/{user.project}/details.json")["quota"]["network"] == {
        "limit": 100, "used": 2, "reserved": 0}


def test_replicas_are_not_the_users(cloud, gateway, boss, user):
    group = user.make("security-groups", name="web")["id"]
    user.make("security-group-rules", security_group_id=group, direction="ingress", protocol="icmp")
    for zone in ("az1", "az2"):
        network, _ = user.wired(zone)
        user.make("ports", network_id=network, security_groups=[group])
    router = user.make("routers", name="r")["id"]
    for zone in ("az1", "az2"):
        _, subnet = user.wired(zone)
        user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    used = {name: told["used"] for name, told in
            user.network.ok("GET", f"/quotas/{user.project}/details")["quota"].items()}
    assert count(cloud, "network", "routers", user.project) == 2
    shown = user.network.ok("GET", "/security-groups")["security_groups"]
    assert (used["router"], used["security_group"], used["security_group_rule"]) == (
        1, 2, sum(len(each["security_group_rules"]) for each in shown))
    put(boss, user, "network", router=2, security_group=3)
    user.make("routers", name="r2")
    answer = user.network.post("/routers", {"router": {"availability_zone_hints": ["az2"]}})
    assert (answer.status, answer["NeutronError"]["message"]) == (409, "Quota exceeded for resources: ['router'].")
    user.make("security-groups", name="db")
    assert user.network.post("/security-groups", {"security_group": {"name": "no"}}).status == 409


def test_numbers_are_set_kept_and_taken_away(cloud, gateway, boss, user):
    for service, name in (("compute", "cores"), ("volume", "gigabytes"), ("network", "subnet")):
        collection, member = SETS[service]
        admin, path = getattr(boss, service), f"/{collection}/{user.project}"
        default = admin.ok("GET", path)[member][name]
        assert put(boss, user, service, **{name: 7})[name] == 7
        assert getattr(user, service).ok("GET", path)[member][name] == 7
        assert [getattr(pod, service).quota_of(user.project)[name] for pod in cloud] == [7, 7]
        assert put(boss, user, service, **{name: -1})[name] == -1
        assert admin.ok("GET", path)[member][name] == -1
        assert admin.delete(path).status < 300
        assert admin.ok("GET", path)[member][name] == default
        assert [getattr(pod, service).quota_of(user.project)[name] for pod in cloud] == [default, default]
        assert getattr(user, service).put(path, {member: {name: 1000}}).status == 403


def test_not_less_than_what_all_pods_use(gateway, boss, user):
    flavor(gateway)
    for zone in ("az1", "az2"):
        assert boot(user, zone).status == 202
        user.disk(zone)
    path, body = f"/os-quota-sets/{user.project}", {"quota_set": {"instances": 1}}
    answer = boss.compute.put(path, body)
    assert (answer.status, answer["badRequest"]["message"]) == (
        400, "Quota limit 1 for instances must be greater than or equal to already used and reserved 2.")
    body["quota_set"]["force"] = True
    assert boss.compute.put(path, body).status == 200
    assert boss.volume.put(path, {"quota_set": {"volumes": 1}}).status == 400
    body = {"quota": {"network": 1, "check_limit": True}}
    assert boss.network.put(f"/quotas/{user.project}", body).status == 400
    del body["quota"]["check_limit"]
    assert boss.network.put(f"/quotas/{user.project}", body).status == 200


def test_a_pod_that_was_down_is_told_later(cloud, gateway, boss, user, worker):
    cloud["Pod2"].refuse()
    put(boss, user, "compute", instances=33)
    assert user.compute.ok("GET", f"/os-quota-sets/{user.project}")["quota_set"]["instances"] == 33
    cloud["Pod2"].recover()
    until(lambda: cloud["Pod2"].compute.quota_of(user.project)["instances"] == 33, 60)
    cloud["Pod2"].refuse()
    assert boss.compute.delete(f"/os-quota-sets/{user.project}").status == 202
    cloud["Pod2"].recover()
    until(lambda: cloud["Pod2"].compute.quota_of(user.project)["instances"] == 10, 60)
    until(lambda: user.project not in json.dumps(gateway.store()["quotas"]), 60)


def test_a_new_pod_is_told(cloud, tmp_path):
    own, worker = Gateway(cloud, tmp_path).start(), None
    try:
        admin = own.client("admin", "admin")
        admin.ok("POST", "/pods", {"pod": {"pod_name": "RegionOne"}})
        admin.ok("POST", "/pods", {"pod": {"pod_name": "Pod1", "az_name": "az1"}})
        user, worker = User(own), own.worker()
        put(User(own, "admin"), user, "network", router=21)
        put(User(own, "admin"), user, "volume", volumes=22)
        admin.ok("POST", "/pods", {"pod": {"pod_name": "Pod2", "az_name": "az2"}})
        until(lambda: cloud["Pod2"].network.quota_of(user.project)["router"] == 21, 60)
        until(lambda: cloud["Pod2"].volume.quota_of(user.project)["volumes"] == 22, 60)
    finally:
        if worker:
            worker.stop()
        own.stop()


def test_a_refused_write_changes_nothing(cloud, gateway, boss, user):
    """Least of all what an operator has set in one pod by hand."""
    path = f"/os-quota-sets/{user.project}"
    boss.compute.ok("PUT", path, {"quota_set": {"instances": 44}}, headers={"X-Tricircle-Pod": "Pod2"})
    assert user.compute.put(path, {"quota_set": {"instances": 99}}).status == 403
    assert user.compute.delete(path).status == 403
    assert boss.admin.ok("GET", f"/jobs?kind=quota&project_id={user.project}")["jobs"] == []
    assert [pod.compute.quota_of(user.project)["instances"] for pod in cloud] == [10, 44]
    assert user.compute.ok("GET", path)["quota_set"]["instances"] == 10, "the smallest holds"


def test_classes_and_defaults(cloud, gateway, boss, user):
    path = "/os-quota-class-sets/default"
    before = boss.compute.ok("GET", path)["quota_class_set"]["instances"]
    try:
        boss.compute.ok("PUT", path, {"quota_class_set": {"instances": 12}})
        assert boss.compute.ok("GET", path)["quota_class_set"]["instances"] == 12
        assert user.compute.ok("GET", f"/os-quota-sets/{user.project}/defaults")["quota_set"]["instances"] == 12
        assert user.compute.ok("GET", f"/os-quota-sets/{user.project}")["quota_set"]["instances"] == 12
    finally:
        boss.compute.ok("PUT", path, {"quota_class_set": {"instances": before}})
    assert user.network.ok("GET", f"/quotas/{user.project}/default")["quota"]["network"] == 100
    assert user.network.ok("GET", "/quotas/project")["project"]["project_id"] == user.project
    put(boss, user, "network", port=5)
    listed = [row for row in boss.network.ok("GET", "/quotas")["quotas"] if row["project_id"] == user.project]
    assert [row["port"] for row in listed] == [5]
