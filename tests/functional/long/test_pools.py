"""Subnet pools and address scopes are made once and hand out in every pod, each prefix to one subnet."""
from ipaddress import ip_network

import pytest

from tests.functional.gateway import ZONES, Gateway, until
from tests.functional.long.test_shared import MARK, away
from tests.functional.scene import PATIENCE
from tests.functional.test_races import race, statuses
from tests.functional.user import User, holders


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


def pool(user, *prefixes, **fields):
    """A subnet pool's id."""
    prefixes = list(prefixes or ("10.0.0.0/16",))
    return user.make("subnetpools", **{"name": "p", "prefixes": prefixes, "default_prefixlen": 24, **fields})["id"]


def draw(user, pod, pool_id, status=201, **fields):
    """A subnet from a pool, in a network of its own in a pod; the answer where it is refused."""
    body = {"network_id": user.net(ZONES[pod]), "ip_version": 4, "subnetpool_id": pool_id, **fields}
    answer = user.network.post("/subnets", {"subnet": {name: each for name, each in body.items() if each is not None}})
    assert answer.status == status, answer.raw
    return answer["subnet"] if status == 201 else answer["NeutronError"]


def copies(pod, id, shelf="subnetpools"):
    """A pod's replicas."""
    return [row for row in pod.network.shelf(shelf).values() if MARK + id in (row.get("description"), row["name"])]


def home_and_away(cloud, id, shelf="subnetpools"):
    """Both pods of something."""
    home, = holders(cloud, "network", shelf, id)
    return cloud[home], away(cloud, "network", shelf, id)


def claimed(gateway, id):
    """CIDRs that the store has of a pool."""
    return sorted(row[2] for row in gateway.store()["pool_prefixes"] if row[0] == id)


# One pool, two pods

def test_subnets_of_two_pods_share_a_pool(cloud, user):
    scope = user.make("address-scopes", name="s", ip_version=4)["id"]
    id = pool(user, address_scope_id=scope)
    home, other = home_and_away(cloud, id)
    assert holders(cloud, "network", "address-scopes", scope) == [home.name]
    made = [draw(user, each.name, id, prefixlen=size) for each, size in (
        (other, None), (home, 26), (other, 25), (home, None), (other, 27))]
    assert [subnet["cidr"] for subnet in made] == [
        "10.0.0.0/24", "10.0.1.0/26", "10.0.1.128/25", "10.0.2.0/24", "10.0.1.64/27"]
    assert {subnet["subnetpool_id"] for subnet in made} == {id}
    listed = user.network.ok("GET", f"/subnets?subnetpool_id={id}")["subnets"]
    assert {(subnet["id"], subnet["subnetpool_id"]) for subnet in listed} == {(subnet["id"], id) for subnet in made}
    for path, key, each in (("/subnetpools", "subnetpools", id), ("/address-scopes", "address_scopes", scope)):
        assert [row["id"] for row in user.network.ok("GET", path)[key]] == [each]
    copy, = copies(other, id)
    scopes = copies(other, scope, "address-scopes")
    assert [copy["address_scope_id"]] == [row["id"] for row in scopes]
    assert copy["project_id"] == scopes[0]["project_id"] == user.project
    for path, hidden in (("/subnetpools", copy), ("/address-scopes", scopes[0])):
        assert user.network.get(f"{path}/{hidden['id']}").status == 404
    # Neither goes while it is in use, wherever that is.
    for subnet in made:
        assert user.network.delete(f"/subnetpools/{id}").status == 400
        assert user.network.delete(f"/subnets/{subnet['id']}").status == 204
    assert user.network.delete(f"/address-scopes/{scope}").status == 409
    assert user.network.delete(f"/subnetpools/{id}").status == 204
    assert user.network.delete(f"/address-scopes/{scope}").status == 204
    assert copies(other, id) == copies(other, scope, "address-scopes") == []


def test_a_prefix_comes_back_with_its_subnet(cloud, user):
    id = pool(user, "10.1.0.0/23")
    home, other = home_and_away(cloud, id)
    first, second = draw(user, home.name, id), draw(user, other.name, id)
    assert draw(user, home.name, id, 409)["type"] == "SubnetAllocationError"
    assert draw(user, other.name, id, 409)["message"] == (
        "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /24.")
    assert user.network.delete(f"/subnets/{first['id']}").status == 204
    assert user.network.delete(f"/networks/{second['network_id']}").status == 204    # its subnets go with it
    assert {draw(user, other.name, id)["cidr"], draw(user, other.name, id)["cidr"]} == {first["cidr"], second["cidr"]}


def test_neutrons_rules_hold_for_all_pods_together(cloud, user):
    id = pool(user, min_prefixlen=20, max_prefixlen=26, default_quota=512)
    home, other = home_and_away(cloud, id)
    assert draw(user, other.name, id, 400, prefixlen=27)["type"] == "MaxPrefixSubnetAllocationError"
    assert draw(user, home.name, id, 400, prefixlen=19)["type"] == "MinPrefixSubnetAllocationError"
    taken = draw(user, home.name, id, cidr="10.0.7.0/24")
    for wish in ("10.0.7.0/24", "10.0.7.64/26", "10.9.0.0/24"):
        assert draw(user, other.name, id, 409, cidr=wish)["type"] == "SubnetAllocationError"
    assert draw(user, other.name, id, gateway_ip="10.0.9.1")["cidr"] == "10.0.9.0/24"
    assert draw(user, other.name, id, 409, prefixlen=26)["type"] == "SubnetPoolQuotaExceeded"
    assert user.network.delete(f"/subnets/{taken['id']}").status == 204
    assert draw(user, other.name, id, prefixlen="26")["cidr"] == "10.0.8.0/26"   # the smallest gap


@pytest.mark.parametrize("wrong", [
    {"cidr": "10.0.3.0/24", "prefixlen": 24}, {"ip_version": 6}, {"allocation_pools": [
        {"start": "10.0.0.2", "end": "10.0.0.9"}]}, {"prefixlen": "x"}, {"cidr": "10.0.0.300/24"}, {"cidr": "x"},
    {"use_default_subnetpool": True}, {"gateway_ip": "fd00::1"}, {"cidr": "fd00::/64"}, {"enable_dhcp": "perhaps"}])
def test_what_the_pod_refuses_leaves_nothing_behind(cloud, gateway, user, wrong):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    for pod in (home, other):
        network = user.net(ZONES[pod.name])
        with cloud.unchanged():
            answer = user.network.post("/subnets", {"subnet": {"network_id": network, "ip_version": 4,
                                                               "subnetpool_id": id, **wrong}})
            assert answer.status == 400, answer.raw
    assert claimed(gateway, id) == []


def test_several_in_one_request(cloud, gateway, user):
    id = pool(user, "10.2.0.0/22")
    _, other = home_and_away(cloud, id)
    network = user.net(ZONES[other.name])
    body = {"network_id": network, "ip_version": 4, "subnetpool_id": id}
    made = user.network.ok("POST", "/subnets", {"subnets": [body, {**body, "prefixlen": 25}]})["subnets"]
    assert [subnet["cidr"] for subnet in made] == ["10.2.0.0/24", "10.2.1.0/25"]
    with cloud.unchanged():
        assert user.network.post("/subnets", {"subnets": [body, {**body, "prefixlen": 22}]}).status == 409
    assert claimed(gateway, id) == ["10.2.0.0/24", "10.2.1.0/25"]


def test_version_6(cloud, user):
    id = pool(user, "fd00:1::/48", default_prefixlen=64)
    home, other = home_and_away(cloud, id)
    made = [draw(user, pod.name, id, ip_version=6)["cidr"] for pod in (home, other, home)]
    assert made == ["fd00:1::/64", "fd00:1:0:1::/64", "fd00:1:0:2::/64"]


# Who else knows of it

def test_what_was_made_in_the_pods_themselves_counts(cloud, gateway, user):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    admin = gateway.client("network", "admin")
    for pod in (home, other):
        network = user.net(ZONES[pod.name])
        admin.ok("POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4, "subnetpool_id": id,
                                                 "cidr": f"10.0.{1 + (pod is home)}.0/24"}},
                 headers={"X-Tricircle-Pod": pod.name})
    assert draw(user, home.name, id)["cidr"] == "10.0.3.0/24"


def test_twenty_at_once_get_twenty_prefixes(cloud, gateway, user):
    id = pool(user, "10.4.0.0/19")
    networks = [user.net(ZONES[f"Pod{1 + number % 2}"]) for number in range(20)]
    answers = race([lambda each=each: user.network.post("/subnets", {"subnet": {
        "network_id": each, "ip_version": 4, "subnetpool_id": id}}) for each in networks])
    assert statuses(answers) == {201: 20}
    nets = sorted(ip_network(answer["subnet"]["cidr"]) for answer in answers)
    assert nets == list(ip_network("10.4.0.0/19").subnets(new_prefix=24))[:20]
    assert sum(len(copies(pod, id)) for pod in cloud) == 1


def test_the_last_prefix_is_one_subnets(cloud, user):
    id = pool(user, "10.5.0.0/24")
    networks = [user.net(ZONES[f"Pod{1 + number % 2}"]) for number in range(10)]
    answers = race([lambda each=each: user.network.post("/subnets", {"subnet": {
        "network_id": each, "ip_version": 4, "subnetpool_id": id}}) for each in networks])
    assert statuses(answers) == {201: 1, 409: 9}


@pytest.mark.parametrize(("when", "then"), [("before", "10.0.1.0/24"), ("after", "10.0.3.0/24")])
def test_a_lost_answer_keeps_its_prefix_until_a_look_can_tell(cloud, gateway, user, when, then):
    id = pool(user)
    _, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    body = {"subnet": {"network_id": user.net(ZONES[other.name]), "ip_version": 4, "subnetpool_id": id}}
    stop = cloud.stop_at_write(1, when, "POST /v2.0/subnets$")
    lost, _ = race([lambda: user.network.post("/subnets", body), lambda: stop.wait() and stop.drop()])
    assert lost.status == 502
    assert draw(user, other.name, id)["cidr"] == "10.0.2.0/24"
    gateway.end_claims()
    assert draw(user, other.name, id)["cidr"] == then


def test_while_the_home_is_down_its_prefixes_stay_taken(cloud, gateway, user):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    draw(user, home.name, id)
    network = user.net(ZONES[other.name])
    home.refuse()
    made = user.network.ok("POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4,
                                                           "subnetpool_id": id}})["subnet"]
    assert (made["cidr"], made["subnetpool_id"]) == ("10.0.2.0/24", id)
    home.recover()
    gateway.settle()
    assert draw(user, home.name, id)["cidr"] == "10.0.3.0/24"


def test_a_pod_that_is_down_does_not_hinder_the_others(cloud, gateway, user):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    network = user.net(ZONES[home.name])
    other.refuse()
    body = {"subnet": {"network_id": network, "ip_version": 4, "subnetpool_id": id}}
    assert user.network.ok("POST", "/subnets", body)["subnet"]["cidr"] == "10.0.0.0/24"
    other.recover()
    gateway.settle()
    assert draw(user, other.name, id)["cidr"] == "10.0.1.0/24"


def test_a_gateway_that_has_lost_its_store_hands_out_nothing_twice(cloud, user, tmp_path):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    fresh = Gateway(cloud, tmp_path)
    try:
        fresh.start().register()
        again = User(fresh, user.token)
        assert draw(again, home.name, id)["cidr"] == "10.0.1.0/24"
        assert draw(again, other.name, id)["subnetpool_id"] == id
        assert len(copies(other, id)) == 1
    finally:
        fresh.stop()


# Changes

def test_changes_reach_the_replicas_also_later(cloud, gateway, user, worker):
    id = pool(user, "10.6.0.0/24")
    home, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    copy, = copies(other, id)
    path = f"/subnetpools/{id}"
    other.refuse()
    user.network.ok("PUT", path, {"subnetpool": {"name": "q", "default_prefixlen": 26, "prefixes": [
        "10.6.0.0/24", "10.6.2.0/23"]}})
    other.recover()
    gateway.settle()
    # Not only later: what is added is there for the next subnet.
    assert user.network.ok("PUT", f"{path}/add_prefixes", {"prefixes": ["10.6.8.0/24"]})["prefixes"] == [
        "10.6.0.0/24", "10.6.2.0/23", "10.6.8.0/24"]
    made = draw(user, other.name, id, cidr="10.6.8.0/24")
    until(lambda: (copy["name"], copy["default_prefixlen"], copy["prefixes"]) == (
        "q", "26", ["10.6.0.0/24", "10.6.2.0/23", "10.6.8.0/24"]), PATIENCE)
    for gone in ("10.6.8.0/24", "10.6.8.128/25", "10.6.0.0/16"):
        refusal = user.network.put(f"{path}/remove_prefixes", {"prefixes": [gone]})
        assert (refusal.status, refusal["NeutronError"]["type"]) == (400, "IllegalSubnetPoolPrefixUpdate")
    assert user.network.delete(f"/subnets/{made['id']}").status == 204
    user.network.ok("PUT", f"{path}/remove_prefixes", {"prefixes": ["10.6.8.0/24", "10.6.3.0/24"]})
    until(lambda: copy["prefixes"] == ["10.6.0.0/24", "10.6.2.0/24"], PATIENCE)
    assert draw(user, home.name, id, 409, cidr="10.6.8.0/24")["type"] == "SubnetAllocationError"


def test_a_pool_joins_a_scope_in_every_pod(cloud, user, worker):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    scope = user.make("address-scopes", name="s", ip_version=4)["id"]
    assert holders(cloud, "network", "address-scopes", scope) == [home.name]
    user.network.ok("PUT", f"/subnetpools/{id}", {"subnetpool": {"address_scope_id": scope}})
    there, = copies(other, scope, "address-scopes")
    until(lambda: copies(other, id)[0]["address_scope_id"] == there["id"], PATIENCE)
    user.network.ok("PUT", f"/subnetpools/{id}", {"subnetpool": {"address_scope_id": None}})
    until(lambda: copies(other, id)[0]["address_scope_id"] is None, PATIENCE)
    assert user.network.delete(f"/address-scopes/{scope}").status == 204
    assert copies(other, scope, "address-scopes") == []


def test_a_scope_of_another_version_leaves_nothing_where_a_pools_replica_is(cloud, user):
    id = pool(user)
    _, other = home_and_away(cloud, id)
    draw(user, other.name, id)
    scope = user.make("address-scopes", name="six", ip_version=6)["id"]
    answer = user.network.put(f"/subnetpools/{id}", {"subnetpool": {"address_scope_id": scope}})
    assert answer.status == 400
    assert answer["NeutronError"]["type"] == "IllegalSubnetPoolIpVersionAssociationToAddressScope"
    assert copies(other, scope, "address-scopes") == []
    assert scope not in str(user.gateway.store()["replicas"])


def test_a_networks_subnets_join_a_pool(cloud, user, worker):
    id = pool(user, "10.7.0.0/24")
    home, other = home_and_away(cloud, id)
    taken = draw(user, home.name, id)
    clash, fine = user.net(ZONES[other.name]), user.net(ZONES[other.name])
    user.subnet(clash, taken["cidr"])
    subnet = user.subnet(fine, "10.7.9.0/24")
    path = f"/subnetpools/{id}/onboard_network_subnets"
    refusal = user.network.put(path, {"network_id": clash})
    assert (refusal.status, refusal["NeutronError"]["type"]) == (400, "IllegalSubnetPoolUpdate")
    assert user.network.put(path, {"network_id": fine}).status == 200
    assert user.network.ok("GET", f"/subnets/{subnet}")["subnet"]["subnetpool_id"] == id
    assert user.network.ok("GET", f"/subnetpools/{id}")["subnetpool"]["prefixes"] == ["10.7.0.0/24", "10.7.9.0/24"]
    assert draw(user, home.name, id, 409)["type"] == "SubnetAllocationError"


def test_a_network_takes_its_prefix_along(cloud, gateway, user):
    id = pool(user)
    home, other = home_and_away(cloud, id)
    network = user.net()
    made = user.make("subnets", network_id=network, ip_version=4, subnetpool_id=id)
    where, = holders(cloud, "network", "networks", network)
    new = next(pod for pod in cloud if pod.name != where)
    user.boot(network, ZONES[new.name])
    shown = user.network.ok("GET", f"/subnets/{made['id']}")["subnet"]
    assert (shown["cidr"], shown["subnetpool_id"]) == (made["cidr"], id)
    assert [draw(user, pod.name, id)["cidr"] for pod in (home, other)] == ["10.0.1.0/24", "10.0.2.0/24"]


# Shared ones and defaults

def test_an_administrators_pool_serves_everybody_in_every_pod(cloud, gateway, user):
    admin = User(gateway, "admin")
    scope = admin.make("address-scopes", name="s", ip_version=4)["id"]      # which the user does not see
    id = pool(admin, "10.8.0.0/16", shared=True, is_default=True, address_scope_id=scope)
    home, other = home_and_away(cloud, id)
    try:
        # The first one by default: what follows must not depend on what naming the pool has brought.
        made = [draw(user, other.name, None, use_default_subnetpool=True), draw(user, other.name, id),
                draw(user, home.name, None, use_default_subnetpool=True)]
        assert [(subnet["cidr"], subnet["subnetpool_id"]) for subnet in made] == [
            (f"10.8.{number}.0/24", id) for number in range(3)]
        for who in (user, admin):
            assert [each["id"] for each in who.network.ok("GET", "/subnetpools?is_default=true")["subnetpools"]] == [id]
        assert user.network.put(f"/subnetpools/{id}", {"subnetpool": {"name": "mine"}}).status == 403
        assert user.network.put(f"/subnetpools/{id}", {"subnetpool": {"shared": True}}).status == 400
        second = {"name": "d", "prefixes": ["10.99.0.0/16"], "is_default": True}
        elsewhere = gateway.client("network", "admin", headers={"X-Tricircle-Pod": other.name})
        assert admin.network.post("/subnetpools", {"subnetpool": second}).status == 400
        assert user.network.post("/subnetpools", {"subnetpool": second}).status == 403
        own = elsewhere.ok("POST", "/subnetpools", {"subnetpool": {**second, "is_default": False}})["subnetpool"]["id"]
        assert admin.network.put(f"/subnetpools/{own}", {"subnetpool": {"is_default": True}}).status == 400
        assert elsewhere.delete(f"/subnetpools/{own}").status == 204
        for subnet in made:
            assert user.network.delete(f"/subnets/{subnet['id']}").status == 204
    finally:
        assert admin.network.delete(f"/subnetpools/{id}").status == 204
        assert admin.network.delete(f"/address-scopes/{scope}").status == 204


def test_a_pool_is_shared_in_every_pod(cloud, gateway, user, worker):
    friend, id = User(gateway), pool(user)
    body = {"object_type": "subnetpool", "object_id": id, "action": "access_as_shared",
            "target_tenant": friend.project}
    made = user.network.ok("POST", "/rbac-policies", {"rbac_policy": body})["rbac_policy"]["id"]
    home, other = home_and_away(cloud, id)
    drawn = [draw(friend, pod.name, id) for pod in (other, home)]
    assert [subnet["cidr"] for subnet in drawn] == ["10.0.0.0/24", "10.0.1.0/24"]
    assert draw(user, other.name, id)["cidr"] == "10.0.2.0/24"
    assert friend.network.delete(f"/subnetpools/{id}").status == 403
    for subnet in reversed(drawn):       # the last one is not in the home
        refusal = user.network.delete(f"/rbac-policies/{made}")
        assert (refusal.status, refusal["NeutronError"]["type"]) == (409, "RbacPolicyInUse")
        assert friend.network.delete(f"/subnets/{subnet['id']}").status == 204
    copy, = copies(other, id)
    assert user.network.delete(f"/rbac-policies/{made}").status == 204
    until(lambda: not [row for row in other.network.shelf("rbac-policies").values()
                       if row["object_id"] == copy["id"]], PATIENCE)
    assert draw(friend, other.name, id, 404)["type"] == "SubnetpoolNotFound"


def test_a_strangers_pool_is_not_there(cloud, gateway, user):
    id = pool(User(gateway))
    for pod in cloud:
        network = user.net(ZONES[pod.name])
        with cloud.unchanged():
            assert user.network.post("/subnets", {"subnet": {
                "network_id": network, "ip_version": 4, "subnetpool_id": id}}).status == 404
    assert claimed(gateway, id) == []
