"""Server groups, Neutron's QoS policies, RBAC policies and tags, used in a pod that is not their home."""
import pytest

from tests.functional.gateway import until
from tests.functional.scene import PATIENCE
from tests.functional.test_races import race, statuses
from tests.functional.user import IMAGE, User, flavor, holders

MARK = "tricircle:"
ZONES = {"Pod1": "az1", "Pod2": "az2"}
LATEST = {"OpenStack-API-Version": "compute 2.64"}


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


def away(cloud, service, shelf, id):
    """The pod that is not the home of something."""
    home, = holders(cloud, service, shelf, id)
    return next(pod for pod in cloud if pod.name != home)


def server_group(user, policy):
    """Its id."""
    body = {"server_group": {"name": "g", "policies": [policy]}}
    return user.compute.ok("POST", "/os-server-groups", body)["server_group"]["id"]


def boot(user, group, zone=None, network=None, status=202):
    """A server in a group; its id."""
    body = {"name": "x", "imageRef": IMAGE, "flavorRef": flavor(user.gateway),
            "networks": [{"uuid": network}] if network else "none", **({"availability_zone": zone} if zone else {})}
    answer = user.compute.post("/servers", {"server": body, "os:scheduler_hints": {"group": group}},
                               headers={"OpenStack-API-Version": "compute 2.37"})
    assert answer.status == status, answer.raw
    return answer["server"]["id"] if status == 202 else answer


# Server groups

def test_a_server_group_over_two_pods_is_one(cloud, user):
    group = server_group(user, "anti-affinity")
    members = {boot(user, group, zone) for zone in ("az1", "az2", "az2")}
    for headers, field, value in ((None, "policies", ["anti-affinity"]), (LATEST, "policy", "anti-affinity")):
        shown = user.compute.ok("GET", f"/os-server-groups/{group}", headers=headers)["server_group"]
        assert (shown["id"], shown["name"], shown[field], set(shown["members"])) == (group, "g", value, members)
        listed = user.compute.ok("GET", "/os-server-groups", headers=headers)["server_groups"]
        assert [(g["id"], g["name"], set(g["members"])) for g in listed] == [(group, "g", members)]
    copies = [row for pod in cloud for row in pod.compute.shelf("server_groups").values()
              if row["name"] == MARK + group]
    assert [(row["policies"], row["_project"]) for row in copies] == [(["anti-affinity"], user.project)]
    assert user.compute.get(f"/os-server-groups/{copies[0]['id']}").status == 404
    assert user.compute.delete(f"/os-server-groups/{group}").status == 204
    assert user.compute.get(f"/os-server-groups/{group}").status == 404
    assert not any(row["_project"] == user.project for pod in cloud for row in pod.compute.shelf(
        "server_groups").values())


def test_a_group_that_is_deleted_while_a_pod_is_down_goes_there_later(cloud, gateway, user, worker):
    group = server_group(user, "anti-affinity")
    pod = away(cloud, "compute", "server_groups", group)
    boot(user, group, ZONES[pod.name])
    pod.refuse()
    assert user.compute.delete(f"/os-server-groups/{group}").status == 204
    pod.recover()
    gateway.settle()
    assert user.compute.ok("GET", "/os-server-groups")["server_groups"] == []
    until(lambda: not [row for row in pod.compute.shelf("server_groups").values() if row["name"] == MARK + group],
          PATIENCE)
    until(lambda: not any(row[0] == group for row in gateway.store()["replicas"]))


def test_affinity_pulls_a_server_to_the_others(cloud, user):
    for zone, pod, other in (("az1", "Pod1", "az2"), ("az2", "Pod2", "az1")):
        group = server_group(user, "affinity")
        boot(user, group, zone)
        assert holders(cloud, "compute", "servers", boot(user, group)) == [pod]
        refusal = boot(user, group, other, status=400)
        assert "Pod1" in refusal["badRequest"]["message"]
        assert "Pod2" in refusal["badRequest"]["message"]
        assert boot(user, group, network=user.wired(other)[0], status=400).status == 400


def test_nobody_takes_the_mark_for_a_name(cloud, user):
    with cloud.unchanged():
        body = {"server_group": {"name": f"{MARK}x", "policies": ["affinity"]}}
        assert user.compute.post("/os-server-groups", body).status == 400


def test_a_strangers_group_is_not_replicated(cloud, gateway, user):
    group = server_group(User(gateway), "anti-affinity")
    zone = ZONES[away(cloud, "compute", "server_groups", group).name]
    boot(user, group, zone, status=400)
    assert not any(row["name"] == MARK + group for pod in cloud for row in pod.compute.shelf("server_groups").values())


def test_one_replica_of_a_server_group(cloud, user):
    group = server_group(user, "anti-affinity")
    pod = away(cloud, "compute", "server_groups", group)
    ids = race([lambda: boot(user, group, ZONES[pod.name]) for _ in range(10)])   # Nova's quota
    assert len([row for row in pod.compute.shelf("server_groups").values() if row["name"] == MARK + group]) == 1
    shown = user.compute.ok("GET", f"/os-server-groups/{group}")["server_group"]
    assert set(shown["members"]) == set(ids)


# QoS policies

def policy(user):
    """A QoS policy with a rule: its id and the rule's."""
    made = user.network.ok("POST", "/qos/policies", {"policy": {"name": "p"}})["policy"]["id"]
    rule = user.network.ok("POST", f"/qos/policies/{made}/bandwidth_limit_rules",
                           {"bandwidth_limit_rule": {"max_kbps": 100}})["bandwidth_limit_rule"]["id"]
    return made, rule


def replica(pod, shelf, id):
    """A pod's replicas of something."""
    return [row for row in pod.network.shelf(shelf).values() if row["description"] == MARK + id]


def meaning(rules):
    """What rules say."""
    return sorted((rule["type"], rule.get("max_kbps"), rule.get("dscp_mark")) for rule in rules)


def test_a_qos_policy_follows_a_port_and_its_rules_follow_it(cloud, user):
    id, rule = policy(user)
    pod = away(cloud, "network", "qos/policies", id)
    network, _ = user.wired(ZONES[pod.name])
    port = user.make("ports", network_id=network, qos_policy_id=id)
    assert port["qos_policy_id"] == id
    copy, = replica(pod, "qos/policies", id)
    assert meaning(copy["rules"]) == [("bandwidth_limit", 100, None)]
    assert [(p["id"], p["name"]) for p in user.network.ok("GET", "/qos/policies")["policies"]] == [(id, "p")]
    path = f"/qos/policies/{id}"
    user.network.ok("PUT", f"{path}/bandwidth_limit_rules/{rule}", {"bandwidth_limit_rule": {"max_kbps": 200}})
    user.network.ok("POST", f"{path}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 8}})
    user.network.ok("PUT", path, {"policy": {"name": "q"}})
    # At once: the next request may need what was changed.
    assert (meaning(copy["rules"]), copy["name"]) == ([("bandwidth_limit", 200, None), ("dscp_marking", None, 8)], "q")
    assert user.network.delete(f"{path}/bandwidth_limit_rules/{rule}").status == 204
    assert meaning(copy["rules"]) == [("dscp_marking", None, 8)]
    assert user.network.delete(path).status == 409
    assert user.network.delete(f"/ports/{port['id']}").status == 204
    assert user.network.delete(path).status == 204
    assert replica(pod, "qos/policies", id) == []
    assert user.network.get(path).status == 404


def test_a_refused_port_leaves_no_policy_behind(cloud, user):
    id, _ = policy(user)
    pod = away(cloud, "network", "qos/policies", id)
    network, _ = user.wired(ZONES[pod.name])
    user.make("ports", network_id=network)
    with cloud.unchanged():
        body = {"port": {"network_id": network, "qos_policy_id": id, "mac_address": "x"}}
        assert user.network.post("/ports", body).status == 400


def test_one_replica_of_a_policy(cloud, user):
    id, _ = policy(user)
    pod = away(cloud, "network", "qos/policies", id)
    network, _ = user.wired(ZONES[pod.name])
    answers = race([lambda: user.network.post("/ports", {"port": {"network_id": network, "qos_policy_id": id}})
                    for _ in range(20)])
    assert statuses(answers) == {201: 20}
    copy, = replica(pod, "qos/policies", id)
    assert len(copy["rules"]) == 1


# RBAC policies

def share(user, kind, id, target):
    """An RBAC policy's id."""
    return user.make("rbac-policies", object_type=kind, object_id=id, action="access_as_shared", target_tenant=target)


def test_an_rbac_policy_goes_where_its_object_is(cloud, gateway, user):
    friend = User(gateway)
    for zone, pod in (("az1", "Pod1"), ("az2", "Pod2")):
        network = user.net(zone)
        made = user.network.ok("POST", "/rbac-policies", {"rbac_policy": {
            "object_type": "network", "object_id": network, "action": "access_as_shared",
            "target_tenant": friend.project}})["rbac_policy"]["id"]
        assert holders(cloud, "network", "rbac-policies", made) == [pod]
        assert friend.network.get(f"/networks/{network}").status == 200
        assert user.network.delete(f"/rbac-policies/{made}").status == 204
        assert friend.network.get(f"/networks/{network}").status == 404


@pytest.mark.parametrize(("kind", "shelf"), [("security_group", "security-groups"), ("qos_policy", "qos/policies")])
def test_a_shared_thing_is_shared_in_every_pod(cloud, gateway, user, kind, shelf):
    friend, other = User(gateway), User(gateway)
    id = user.make("security-groups", name="web")["id"] if kind == "security_group" else policy(user)[0]
    body = {"object_type": kind, "object_id": id, "action": "access_as_shared", "target_tenant": friend.project}
    made = user.network.ok("POST", "/rbac-policies", {"rbac_policy": body})["rbac_policy"]["id"]
    pod = away(cloud, "network", shelf, id)
    network, _ = friend.wired(ZONES[pod.name])
    wish = {"security_groups": [id]} if kind == "security_group" else {"qos_policy_id": id}
    port = friend.make("ports", network_id=network, **wish)
    assert {name: port[name] for name in wish} == wish
    copy, = replica(pod, shelf, id)
    assert copy["project_id"] == user.project
    assert [(each["id"], each["object_id"]) for each in user.network.ok("GET", "/rbac-policies")["rbac_policies"]] == [
        (made, id)]
    user.network.ok("POST", "/rbac-policies", {"rbac_policy": {**body, "target_tenant": other.project}})
    targets = lambda: {row["target_tenant"] for row in pod.network.shelf("rbac-policies").values()  # noqa: E731
                       if row["object_id"] == copy["id"]}
    assert targets() == {friend.project, other.project}
    assert user.network.delete(f"/rbac-policies/{made}").status == 204
    assert targets() == {other.project}
    boss = User(gateway, "admin")
    body = {"rbac_policy": {**body, "target_tenant": "*", "project_id": user.project}}
    everybody = boss.network.ok("POST", "/rbac-policies", body)["rbac_policy"]["id"]
    assert targets() == {other.project, "*"}
    assert user.network.delete(f"/rbac-policies/{everybody}").status == 204   # which the user could not have made
    assert targets() == {other.project}


# Tags

def test_tags_go_with_their_resource(cloud, user):
    made = {"networks": user.net("az2"), "security-groups": user.make("security-groups", name="web")["id"],
            "qos/policies": policy(user)[0], "routers": user.make("routers", name="r")["id"]}
    for kind, id in made.items():
        name = kind.rsplit("/", 1)[-1]
        path, key = f"/{name}/{id}/tags", name.replace("-", "_")   # Neutron has those of a policy at `/policies`
        assert user.network.ok("PUT", path, {"tags": ["b", "a"]})["tags"] == ["a", "b"]
        assert user.network.put(f"{path}/c").status == 201
        assert user.network.get(f"{path}/c").status == 204
        assert user.network.delete(f"{path}/a").status == 204
        assert user.network.ok("GET", path)["tags"] == ["b", "c"], kind
        assert [each["id"] for each in user.network.ok("GET", f"/{kind}?tags=b,c")[key]] == [id]
        assert user.network.delete(path).status == 204
        assert user.network.ok("GET", path)["tags"] == []
