"""Flavors, keypairs and security groups: what a server needs follows it to its pod, and is one thing to the user."""
import uuid

import pytest

from tests.functional.client import Client
from tests.functional.gateway import until
from tests.functional.standin.cloud import difference
from tests.functional.user import IMAGE, User, flavor, holders

MARK = "tricircle:"


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


@pytest.fixture
def boss(gateway):
    """An administrator in a new project."""
    return User(gateway, gateway.cloud.identity.newcomer(("admin", "member")))


def new_flavor(boss, **fields):
    """A flavor's body, and its id."""
    id = uuid.uuid4().hex[:8]
    return {"flavor": {"name": f"f-{id}", "id": id, "ram": 64, "vcpus": 1, "disk": 1, **fields}}, id


def groups(cloud, pod, project):
    """{name: row} of a project's security groups in a pod."""
    return {row["name"]: row for row in cloud[pod].network.shelf("security-groups").values()
            if row["project_id"] == project}


def rules(cloud, pod, group):
    """What a group's rules in a pod say, without the names that pods give."""
    names = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix")
    return sorted(tuple(str(rule[name]) for name in names)
                  for rule in cloud[pod].network.shelf("security-group-rules").values()
                  if rule["security_group_id"] == group["id"])


# Flavors

def test_a_flavor_is_in_every_pod_under_one_id(cloud, boss):
    body, id = new_flavor(boss)
    made = boss.compute.ok("POST", "/flavors", body)["flavor"]
    assert made["id"] == id
    assert holders(cloud, "compute", "flavors", id) == ["Pod1", "Pod2"]
    boss.compute.ok("POST", f"/flavors/{id}/os-extra_specs", {"extra_specs": {"hw:x": "1"}})
    assert [pod.compute.shelf("flavors")[id]["_specs"] for pod in cloud] == [{"hw:x": "1"}] * 2
    assert boss.compute.delete(f"/flavors/{id}").status == 202
    assert holders(cloud, "compute", "flavors", id) == []
    assert boss.compute.get(f"/flavors/{id}").status == 404


def test_an_id_chosen_by_a_pod_is_told_to_the_others(cloud, boss):
    body, _ = new_flavor(boss)
    del body["flavor"]["id"]
    id = boss.compute.ok("POST", "/flavors", body)["flavor"]["id"]
    assert holders(cloud, "compute", "flavors", id) == ["Pod1", "Pod2"]


def test_a_flavor_that_one_pod_has_already_is_adopted_by_its_id(cloud, boss):
    body, id = new_flavor(boss)
    direct = Client(cloud["Pod2"].compute.server.url + "/v2.1", boss.token.id)
    direct.ok("POST", "/flavors", body)
    assert boss.compute.post("/flavors", body).status in (200, 409)
    assert set(holders(cloud, "compute", "flavors", id)) >= {"Pod2"}
    assert boss.compute.ok("GET", f"/flavors/{id}")["flavor"]["ram"] == 64


def test_another_flavor_under_a_taken_id_changes_no_pod(cloud, boss):
    body, _ = new_flavor(boss)
    direct = Client(cloud["Pod2"].compute.server.url + "/v2.1", boss.token.id)
    direct.ok("POST", "/flavors", {"flavor": {**body["flavor"], "ram": 4096}})
    with cloud.unchanged():
        answer = boss.compute.post("/flavors", body)
    assert answer.status == 409
    assert list(answer.body) == ["conflictingRequest"]


def test_a_refused_flavor_is_made_in_no_pod(cloud, boss):
    with cloud.unchanged():
        body, _ = new_flavor(boss, ram=-1)
        assert boss.compute.post("/flavors", body).status == 400


def test_a_pod_that_missed_a_flavor_gets_it_with_the_first_server(cloud, boss, user):
    body, id = new_flavor(boss)
    cloud["Pod2"].refuse()
    answer = boss.compute.post("/flavors", body)
    assert answer.status == 200
    assert answer.headers["X-Tricircle-Unreachable-Pods"] == "Pod2"
    boss.compute.ok("POST", f"/flavors/{id}/os-extra_specs", {"extra_specs": {"hw:x": "1"}})
    cloud["Pod2"].recover()
    server = until(lambda: _try(user, id), 10)
    assert cloud["Pod2"].compute.shelf("servers")[server]["_flavor"] == id
    assert cloud["Pod2"].compute.shelf("flavors")[id]["_specs"] == {"hw:x": "1"}


def _try(user, flavor_id):
    """Boot in Pod2 as soon as its breaker lets calls through again."""
    body = {"name": "x", "flavorRef": flavor_id, "imageRef": str(uuid.uuid4()), "networks": "none",
            "availability_zone": "az2"}
    answer = user.compute.post("/servers", {"server": body}, headers={"OpenStack-API-Version": "compute 2.37"})
    assert answer.status in (202, 503), answer.raw
    return answer.status == 202 and answer["server"]["id"]


def test_a_pod_that_fails_to_follow_is_named(cloud, boss):
    body, id = new_flavor(boss)
    cloud["Pod2"].compute.faults.every, cloud["Pod2"].compute.faults.only = 1, "POST /v2.1/flavors"
    answer = boss.compute.post("/flavors", body)
    assert answer.status == 200
    assert answer.headers["X-Tricircle-Unreachable-Pods"] == "Pod2"
    assert holders(cloud, "compute", "flavors", id) == ["Pod1"]


def test_a_private_flavor_stays_private(cloud, boss, user):
    body, id = new_flavor(boss, **{"os-flavor-access:is_public": False})
    boss.compute.ok("POST", "/flavors", body)
    assert user.compute.get(f"/flavors/{id}").status == 404
    boss.compute.ok("POST", f"/flavors/{id}/action", {"addTenantAccess": {"tenant": user.project}})
    assert [pod.compute.shelf("flavors")[id]["_access"] for pod in cloud] == [[user.project]] * 2
    assert user.compute.get(f"/flavors/{id}").status == 200


# Keypairs

def test_a_keypair_follows_its_server(cloud, user):
    name = user.key()
    for zone in ("az1", "az2"):
        user.boot(None, zone, key_name=name)
    keys = [pod.compute.keys_of(user.token.user.id)[name] for pod in cloud]
    assert keys[0]["public_key"] == keys[1]["public_key"]
    assert keys[0]["fingerprint"] == keys[1]["fingerprint"]
    assert [k["keypair"]["name"] for k in user.compute.ok("GET", "/os-keypairs")["keypairs"]] == [name]


def test_a_keypair_made_in_one_pod_directly_is_carried(cloud, user):
    direct = Client(cloud["Pod1"].compute.server.url + "/v2.1", user.token.id)
    body = {"keypair": {"name": "mine", "public_key": f"ssh-rsa {uuid.uuid4().hex}"}}
    direct.ok("POST", "/os-keypairs", body)
    server = user.boot(None, "az2", key_name="mine")
    assert cloud["Pod2"].compute.keys_of(user.token.user.id)["mine"]["public_key"] == body["keypair"]["public_key"]
    assert holders(cloud, "compute", "servers", server) == ["Pod2"]


def test_a_generated_key_is_the_same_everywhere(cloud, user):
    made = user.compute.ok("POST", "/os-keypairs", {"keypair": {"name": "gen"}})["keypair"]
    assert "private_key" in made
    public = {pod.compute.keys_of(user.token.user.id)["gen"]["public_key"] for pod in cloud
              if "gen" in pod.compute.keys_of(user.token.user.id)}
    assert public == {made["public_key"]}


def test_a_deleted_keypair_is_gone_everywhere(cloud, user):
    name = user.key()
    user.boot(None, "az2", key_name=name)
    assert user.compute.delete(f"/os-keypairs/{name}").status in (202, 204)
    assert [name in pod.compute.keys_of(user.token.user.id) for pod in cloud] == [False, False]
    assert user.compute.get(f"/os-keypairs/{name}").status == 404


def test_an_unknown_keypair_or_flavor_is_refused_by_the_pod(cloud, gateway, user):
    user.boot(None, "az2")
    with cloud.unchanged():
        for change, word in (({"key_name": "nobody"}, "key_name"), ({"flavorRef": "nothing"}, "nothing")):
            body = {"name": "x", "flavorRef": flavor(gateway), "imageRef": str(uuid.uuid4()), "networks": "none",
                    "availability_zone": "az2", **change}
            answer = user.compute.post("/servers", {"server": body}, headers={"OpenStack-API-Version": "compute 2.37"})
            assert answer.status == 400
            assert word in answer["badRequest"]["message"]


# Security groups

def test_a_group_and_its_rules_follow_a_server(cloud, user):
    group = user.make("security-groups", name="web")["id"]
    user.make("security-group-rules", security_group_id=group, direction="ingress", protocol="tcp", port_range_min=80,
              port_range_max=80, remote_ip_prefix="0.0.0.0/0")
    user.make("security-group-rules", security_group_id=group, direction="ingress", protocol="icmp")
    for zone in ("az1", "az2"):
        network, _ = user.wired(zone)
        server = user.boot(network, zone, security_groups=[{"name": "web"}])
        shown = user.compute.ok("GET", f"/servers/{server}/os-security-groups")["security_groups"]
        assert [g["id"] for g in shown] == [group]
    copies = [groups(cloud, pod.name, user.project)["web"] for pod in cloud]
    assert sorted(row["description"] for row in copies) == ["", MARK + group]
    assert rules(cloud, "Pod1", copies[0]) == rules(cloud, "Pod2", copies[1])
    assert len(rules(cloud, "Pod1", copies[0])) == 4
    listed = user.network.ok("GET", "/security-groups")["security_groups"]
    assert sorted(g["name"] for g in listed) == ["default", "web"]


def test_a_port_in_another_pod_shows_the_groups_home_id(cloud, user):
    group = user.make("security-groups", name="web")["id"]
    home, = holders(cloud, "network", "security-groups", group)
    away = {"Pod1": "az2", "Pod2": "az1"}[home]
    network, _ = user.wired(away)
    port = user.make("ports", network_id=network, security_groups=[group])
    assert port["security_groups"] == [group]
    assert user.network.ok("GET", f"/ports/{port['id']}")["port"]["security_groups"] == [group]
    listed = user.network.ok("GET", f"/ports?network_id={network}")["ports"]
    assert [p["security_groups"] for p in listed] == [[group]]


def test_the_default_group_is_one(cloud, user):
    for zone in ("az1", "az2"):
        network, _ = user.wired(zone)
        user.boot(network, zone)
    listed = user.network.ok("GET", "/security-groups")["security_groups"]
    assert [g["name"] for g in listed] == ["default"]
    default = listed[0]["id"]
    assert user.network.ok("GET", f"/security-groups/{default}")["security_group"]["id"] == default
    assert {tuple(p["security_groups"]) for p in user.network.ok("GET", "/ports")["ports"]} == {(default,)}
    again = user.network.ok("GET", "/security-groups?name=default")["security_groups"]
    assert [g["id"] for g in again] == [default]


def test_listed_rules_are_those_of_groups_that_the_user_sees(user):
    group = user.make("security-groups", name="web")["id"]
    for zone in ("az1", "az2"):
        network, _ = user.wired(zone)
        user.boot(network, zone, security_groups=[{"name": "web"}])
    shown = {g["id"] for g in user.network.ok("GET", "/security-groups")["security_groups"]}
    owners = {r["security_group_id"] for r in user.network.ok("GET", "/security-group-rules")["security_group_rules"]}
    assert owners <= shown
    assert group in owners


def test_a_refused_server_leaves_no_replica(cloud, gateway, user):
    """The pod says no to the image; Tricircle must not have made anything with its own account before that."""
    user.make("security-groups", name="web")
    user.boot(None, "az1")
    user.boot(None, "az2")
    user.compute.ok("GET", "/servers/detail")    # they are built: whoever looks later changes nothing
    before = cloud.snapshot()
    body = {"name": "x", "flavorRef": flavor(gateway), "imageRef": "", "networks": "none", "availability_zone": "az2",
            "security_groups": [{"name": "web"}]}
    answer = user.compute.post("/servers", {"server": body}, headers={"OpenStack-API-Version": "compute 2.37"})
    assert answer.status == 400
    after = cloud.snapshot()
    assert after == before, difference(before, after)


def test_quotas_are_the_same_in_every_pod(cloud, boss):
    boss.compute.ok("PUT", f"/os-quota-sets/{boss.project}", {"quota_set": {"instances": 77}})
    boss.volume.ok("PUT", f"/os-quota-sets/{boss.project}", {"quota_set": {"volumes": 66}})
    boss.network.ok("PUT", f"/quotas/{boss.project}", {"quota": {"network": 55}})
    for pod in cloud:
        assert pod.compute.shelf("quotas")[boss.project]["instances"] == 77
        assert pod.volume.shelf("quotas")[boss.project]["volumes"] == 66
        assert pod.network.shelf("quotas")[boss.project]["network"] == 55


@pytest.mark.parametrize("zone", ["az1", "az2"])
def test_a_name_that_two_groups_have_is_no_name(user, zone):
    """Wherever they are, and wherever the server goes: as one Neutron has it."""
    for pod_of_group in ("az1", "az2"):
        user.net(pod_of_group)
    for _ in range(2):
        user.make("security-groups", name=f"twice-{zone}")
    answer = user.compute.post("/servers", {"server": {
        "name": "vm", "imageRef": IMAGE, "flavorRef": flavor(user.gateway), "networks": "none",
        "availability_zone": zone, "security_groups": [{"name": f"twice-{zone}"}]}},
        headers={"OpenStack-API-Version": "compute 2.37"})
    assert (answer.status, "Multiple security groups" in str(answer.body)) == (409, True), answer.raw
    assert user.compute.ok("GET", "/servers")["servers"] == []


# A subnet pool and its address scope, each with a home of its own

def test_a_pool_joins_a_scope_of_another_pod(cloud, gateway):
    user = User(gateway)
    user.net("az1")   # the project's default pod is Pod1 from now on
    there = Client(cloud["Pod2"].network.server.url + "/v2.0", user.token.id)
    body = {"address_scope": {"name": "s", "ip_version": 4}}
    scope = there.ok("POST", "/address-scopes", body)["address_scope"]["id"]
    id = user.make("subnetpools", name="p", prefixes=["10.0.0.0/16"], default_prefixlen=24)["id"]
    assert holders(cloud, "network", "subnetpools", id) == ["Pod1"]
    joined = user.network.ok("PUT", f"/subnetpools/{id}", {"subnetpool": {"address_scope_id": scope}})["subnetpool"]
    assert joined["address_scope_id"] == scope
    copy, = [row for row in cloud["Pod1"].network.shelf("address-scopes").values() if row["name"] == MARK + scope]
    assert cloud["Pod1"].network.shelf("subnetpools")[id]["address_scope_id"] == copy["id"]
    for zone in ("az1", "az2"):   # the scope's own pod is one where the pool is a replica
        subnet = user.make("subnets", network_id=user.net(zone), ip_version=4, subnetpool_id=id)
        assert subnet["subnetpool_id"] == id
    replica, = [row for row in cloud["Pod2"].network.shelf("subnetpools").values() if row["description"] == MARK + id]
    assert replica["address_scope_id"] == scope
    # Pools of one scope have no address in common, wherever they are.
    apart = user.make("subnetpools", name="q", prefixes=["10.1.0.0/16"], address_scope_id=scope)["id"]
    assert holders(cloud, "network", "subnetpools", apart) == ["Pod2"]
    alone = user.make("subnetpools", name="r", prefixes=["10.1.128.0/17"])["id"]
    assert holders(cloud, "network", "subnetpools", alone) == ["Pod1"]
    with cloud.unchanged():
        for method, path, body in (
                ("PUT", f"/subnetpools/{alone}", {"subnetpool": {"address_scope_id": scope}}),
                ("PUT", f"/subnetpools/{id}", {"subnetpool": {"prefixes": ["10.0.0.0/15"]}}),
                ("PUT", f"/subnetpools/{id}/add_prefixes", {"prefixes": ["10.1.2.0/24"]})):
            answer = user.network.call(method, path, body)
            assert (answer.status, answer["NeutronError"]["type"]) == (409, "AddressScopePrefixConflict"), path
    user.network.ok("PUT", f"/subnetpools/{alone}", {"subnetpool": {"prefixes": ["10.1.128.0/17", "10.3.0.0/16"]}})
    assert user.network.delete(f"/address-scopes/{scope}").status == 409


# QoS

def test_a_rule_without_its_policy_is_carried_over_too(cloud, gateway):
    boss = User(gateway, gateway.cloud.identity.newcomer(("admin", "member")))
    policy = boss.network.ok("POST", "/qos/policies", {"policy": {"name": "slow"}})["policy"]["id"]
    home, = holders(cloud, "network", "qos/policies", policy)
    rule = boss.network.ok("POST", f"/qos/policies/{policy}/bandwidth_limit_rules",
                           {"bandwidth_limit_rule": {"max_kbps": 100}})["bandwidth_limit_rule"]["id"]
    boss.make("ports", network_id=boss.net({"Pod1": "az2", "Pod2": "az1"}[home]), qos_policy_id=policy)
    gateway.forget_jobs()
    body = {"alias_bandwidth_limit_rule": {"max_kbps": 300}}
    assert boss.network.ok("PUT", f"/qos/alias-bandwidth-limit-rules/{rule}", body) == {
        "alias_bandwidth_limit_rule": {"id": rule, "max_kbps": 300, "max_burst_kbps": 0, "direction": "egress"}}
    job, = gateway.client("admin", "admin").ok("GET", f"/jobs?resource_id={policy}")["jobs"]
    assert (job["kind"], job["state"]) == ("qos_policy", "queued")


@pytest.mark.parametrize("verb", ["DELETE", "PUT"])
def test_judging_a_request_leaves_the_revision_number_as_it_is(gateway, verb):
    """A client's If-Match holds: what the gateway asks before it acts is no change (Neutron counts empty PUTs)."""
    user = User(gateway)
    id = user.make("subnetpools", name="p", prefixes=["10.0.0.0/16"])["id"]
    assert user.network.put(f"/subnetpools/{id}", {"subnetpool": {"is_default": True}}).status == 403
    before = user.network.ok("GET", f"/subnetpools/{id}")["subnetpool"]["revision_number"]
    body = {"subnetpool": {"prefixes": ["10.0.0.0/15"], "address_scope_id": None}} if verb == "PUT" else None
    asked = {"If-Match": f"revision_number={before}"}
    answer = user.network.call(verb, f"/subnetpools/{id}", body, headers=asked)
    assert answer.status == {"PUT": 200, "DELETE": 204}[verb], answer.raw


def test_a_pool_that_has_lost_its_prefixes_gets_others_and_goes(gateway):
    """Neutron refuses every PUT of such a pool, also the one that only asks who may change it."""
    user = User(gateway)
    id = user.make("subnetpools", name="p", prefixes=["10.0.0.0/16"])["id"]
    for _ in range(2):
        gone = user.network.ok("PUT", f"/subnetpools/{id}/remove_prefixes", {"prefixes": ["10.0.0.0/16"]})
        assert gone["prefixes"] == []
        shown = user.network.ok("PUT", f"/subnetpools/{id}/add_prefixes", {"prefixes": ["10.0.0.0/16"]})
        assert shown["prefixes"] == ["10.0.0.0/16"]
    user.network.ok("PUT", f"/subnetpools/{id}/remove_prefixes", {"prefixes": ["10.0.0.0/16"]})
    assert user.network.delete(f"/subnetpools/{id}").status == 204


def test_a_pool_in_another_projects_scope_goes(gateway):
    """Neutron refuses every PUT of it; to delete it is its owner's right."""
    user, admin = User(gateway), User(gateway, "admin")
    scope = admin.make("address-scopes", name="s", ip_version=4, shared=True)["id"]
    id = user.make("subnetpools", name="p", prefixes=["10.0.0.0/16"], address_scope_id=scope)["id"]
    answer = user.network.put(f"/subnetpools/{id}", {"subnetpool": {"prefixes": ["10.0.0.0/15"]}})
    assert (answer.status, answer["NeutronError"]["type"]) == (400, "IllegalSubnetPoolUpdate")
    assert user.network.delete(f"/subnetpools/{id}").status == 204
    assert admin.network.delete(f"/address-scopes/{scope}").status == 204
