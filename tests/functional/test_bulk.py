"""Bulk creates whose members belong in several pods: all or none, in the order of the request (reports, row 6)."""
import pytest

from tests.functional.user import User, holders


@pytest.fixture
def user(gateway):
    return User(gateway)


def bulk(user, collection, *members):
    """POST of several; the answer."""
    return user.network.post(f"/{collection}", {collection.replace("-", "_"): list(members)})


def left(cloud, user):
    """Names of the user's networks, as the pods have them."""
    return {pod.name: sorted(row["name"] for row in pod.network.shelf("networks").values()
                             if row["project_id"] == user.project) for pod in cloud}


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
    both = {"network": {}, "networks": zoned("az1", "az1", "az1")}   # Neutron reads the several, and makes three
    assert user.network.post("/networks", both).status == 409
    assert user.network.ok("GET", "/networks")["networks"] == []
    assert bulk(user, "networks", *zoned("az1", "az2")).status == 201


def test_fields_hide_from_the_user_and_not_from_us(cloud, gateway, user):
    first, second = zoned("az1", "az2")
    answer = user.network.post("/networks?fields=name", {"networks": [first, {**second, "mtu": -7}]})
    assert answer.status == 400, answer.raw
    assert left(cloud, user) == {"Pod1": [], "Pod2": []}
    answer = user.network.post("/networks?fields=name&fields=mtu", {"networks": [first, second]})
    assert (answer.status, answer["networks"]) == (201, [{"name": "n0", "mtu": 1450}, {"name": "n1", "mtu": 1450}])
    answer = user.network.post("/networks?fields=name", {"network": {**second, "name": "single"}})
    assert (answer.status, answer["network"]) == (201, {"name": "single"})
    made = user.network.ok("GET", "/networks?name=single")["networks"][0]["id"]
    assert any(made in row for row in gateway.store()["routings"])
    answer = user.network.put(f"/networks/{made}?fields=mtu", {"network": {"name": "other"}})
    assert (answer.status, answer["network"]) == (200, {"mtu": 1450})


def test_what_neutron_makes_one_by_one(cloud, user):
    with cloud.unchanged():
        for collection, zones in (("routers", ("az1", "az2")), ("routers", ("az1", "az1"))):
            answer = bulk(user, collection, *zoned(*zones))
            assert (answer.status, answer["NeutronError"]["message"]) == (400, "Bulk operation not supported")


@pytest.mark.parametrize("external", ["false", "no", 0])
def test_a_network_that_neutron_takes_for_internal_is_placed_as_one(cloud, user, external):
    asked = {"name": "n", "router:external": external}
    by_name = user.network.post("/networks", {"network": {**asked, "availability_zone_hints": ["Pod2"]}})
    assert (by_name.status, by_name["NeutronError"]["type"]) == (404, "AvailabilityZoneNotFound")
    both = {"network": {"router:external": True}, "networks": [{**asked, "availability_zone_hints": ["Pod2"]}]}
    assert user.network.post("/networks", both).status == 404
    by_zone = user.network.post("/networks", {"network": {**asked, "availability_zone_hints": ["az2"]}})
    assert by_zone.status == 201, by_zone.raw
    assert holders(cloud, "network", "networks", by_zone["network"]["id"]) == ["Pod2"]


def test_external_networks_of_several_pods(cloud, gateway):
    admin = User(gateway, "admin")
    asked = [{"name": name, "router:external": "true", "availability_zone_hints": [pod]}
             for name, pod in (("a", "Pod1"), ("b", "Pod2"), ("c", "Pod1"))]
    answer = bulk(admin, "networks", *asked)
    assert answer.status == 201, answer.raw
    assert [(row["name"], row["availability_zone_hints"]) for row in answer["networks"]] == [
        ("a", ["Pod1"]), ("b", ["Pod2"]), ("c", ["Pod1"])]
    assert [holders(cloud, "network", "networks", row["id"]) for row in answer["networks"]] == [
        ["Pod1"], ["Pod2"], ["Pod1"]]
    for row in answer["networks"]:
        admin.network.ok("DELETE", f"/networks/{row['id']}")


def test_wrapped_records_are_as_bare_ones(cloud, user):
    answer = bulk(user, "networks", *({"network": row} for row in zoned("az1", "az2")))
    assert answer.status == 201, answer.raw
    assert [holders(cloud, "network", "networks", row["id"]) for row in answer["networks"]] == [["Pod1"], ["Pod2"]]
    marked = {"network": {"name": "n", "description": "tricircle:x"}}
    assert bulk(user, "networks", marked).status == 400
