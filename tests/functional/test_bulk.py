"""Bulk creates whose members belong in several pods: all or none, in the order of the request (reports, row 6)."""
import pytest

from tests.functional.user import User, holders


@pytest.fixture
def user(gateway):
    return User(gateway)


def bulk(user, collection, *members):
    """POST of several; the answer."""
    return user.network.post(f"/{collection}", {collection.replace("-", "_"): list(members)})


def zoned(*zones):
    return [{"name": f"n{number}", "availability_zone_hints": [zone]} for number, zone in enumerate(zones)]


def test_networks_of_two_zones(cloud, user):
    answer = bulk(user, "networks", *zoned("az1", "az2", "az1"))
    assert answer.status == 201, answer.raw
    made = answer["networks"]
    assert [row["name"] for row in made] == ["n0", "n1", "n2"]
    assert [holders(cloud, "network", "networks", row["id"]) for row in made] == [["Pod1"], ["Pod2"], ["Pod1"]]
    assert [row["availability_zones"] for row in made] == [["az1"], ["az2"], ["az1"]]


def test_subnets_ports_and_rules_follow_what_they_belong_to(cloud, user):
    nets = [row["id"] for row in bulk(user, "networks", *zoned("az1", "az2"))["networks"]]
    subnets = bulk(user, "subnets", *({"network_id": net, "ip_version": 4, "cidr": f"10.9.{number}.0/24"}
                                      for number, net in enumerate(nets)))
    assert [row["network_id"] for row in subnets["subnets"]] == nets
    ports = bulk(user, "ports", *({"network_id": net, "name": f"p{number}"} for number, net in enumerate(nets)))
    assert [(row["network_id"], row["name"]) for row in ports["ports"]] == [(nets[0], "p0"), (nets[1], "p1")]
    assert [holders(cloud, "network", "ports", row["id"]) for row in ports["ports"]] == [["Pod1"], ["Pod2"]]


@pytest.mark.parametrize("wrong", [{"availability_zone_hints": ["nowhere"]}, {"mtu": -1}])
def test_none_is_made_when_one_is_refused(cloud, user, wrong):
    before = user.network.ok("GET", "/networks")["networks"]
    first, second, third = zoned("az1", "az2", "az2")
    answer = bulk(user, "networks", first, second, {**third, **wrong})
    assert answer.status in (400, 404), answer.raw
    assert answer["NeutronError"]
    assert user.network.ok("GET", "/networks")["networks"] == before
    assert not [row for pod in ("Pod1", "Pod2") for row in cloud[pod].network.shelf("networks").values()
                if row["project_id"] == user.project]


def test_the_last_pod_over_its_quota_leaves_nothing(cloud, gateway, user):
    gateway.client("network", "admin").ok("PUT", f"/quotas/{user.project}", {"quota": {"network": 2}})
    assert bulk(user, "networks", *zoned("az1", "az1", "az2")).status == 409
    assert user.network.ok("GET", "/networks")["networks"] == []
    assert bulk(user, "networks", *zoned("az1", "az2")).status == 201
