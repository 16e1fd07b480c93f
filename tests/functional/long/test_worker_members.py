"""Members of a security group in other pods: the worker lets them in, and nobody sees how."""
import pytest

from tests.functional.gateway import until
from tests.functional.scene import PATIENCE, PODS
from tests.functional.town import Town


@pytest.fixture(scope="module")
def worker(gateway):
    """One for all of these tests: nothing here needs a fresh one."""
    made = gateway.worker()
    yield made
    made.stop()


@pytest.fixture
def town(cloud, gateway):
    return Town(cloud, gateway)


@pytest.fixture
def joined(town, worker):
    """With the router built over both pods."""
    town.change("add")
    town.settle()
    town.at_rest()
    return town


def test_two_servers_in_the_default_group_reach_each_other_without_a_rule(joined):
    servers = {pod: joined.boot(pod) for pod in PODS}
    near, far = (joined.address(servers[pod]) for pod in PODS)
    joined.until_marked(Pod1={(None, far)}, Pod2={(None, near)})
    joined.at_rest()
    assert_unseen(joined)
    for server in servers.values():
        (group,) = joined.who.compute.ok("GET", f"/servers/{server}/os-security-groups")["security_groups"]
        assert [rule["ip_range"] for rule in group["rules"]] == [{}, {}]
    assert joined.who.compute.delete(f"/servers/{servers['Pod2']}").status == 204
    joined.until_marked(Pod1=set(), Pod2={(None, near)})


def assert_unseen(town):
    """The user's view is that of a project in one pod."""
    (group,) = town.user.ok("GET", "/security-groups")["security_groups"]
    shown = [group, town.user.ok("GET", f"/security-groups/{group['id']}")["security_group"],
             town.user.ok("PUT", f"/security-groups/{group['id']}", {"security_group": {}})["security_group"]]
    assert [len(each["security_group_rules"]) for each in shown] == [4, 4, 4]
    rules = town.user.ok("GET", "/security-group-rules")["security_group_rules"]
    assert len(rules) == 4
    assert "tricircle:" not in str([shown, rules])
    assert town.user.ok("GET", f"/quotas/{town.token.project.id}/details")["quota"]["security_group_rule"]["used"] == 4
    for pod in town.cloud:
        for rule in list(pod.network.shelf("security-group-rules").values()):
            if rule["security_group_id"] == group["id"] and rule["description"].startswith("tricircle:"):
                with town.cloud.unchanged():
                    for method in ("GET", "DELETE"):
                        assert town.user.call(method, f"/security-group-rules/{rule['id']}").status == 404


def test_who_is_no_more_reached_is_no_more_let_in(joined):
    near, far = (joined.address(joined.boot(pod)) for pod in PODS)
    joined.until_marked(Pod1={(None, far)}, Pod2={(None, near)})
    ports = [port["id"] for port in joined.user.ok("GET", "/ports")["ports"]
             if port["device_owner"] == "network:router_interface"]
    assert len(ports) == 2
    joined.change("remove", "Pod2")
    joined.until_marked(Pod1=set(), Pod2=set())


def test_without_a_router_over_pods_nothing_is_asked(town, worker):
    town.boot("Pod1")
    town.boot("Pod2")
    group = town.who.make("security-groups", name="web")["id"]
    rule = town.who.make("security-group-rules", security_group_id=group, direction="ingress", remote_group_id=group)
    town.user.ok("DELETE", f"/security-group-rules/{rule['id']}")
    assert town.member_jobs() == []


def test_a_port_that_nova_makes_later_is_waited_for(joined):
    nova = joined.cloud["Pod2"].compute
    near = joined.address(joined.boot("Pod1"))
    nova.late = True
    try:
        server = joined.boot("Pod2")
        until(lambda: "being built" in str([job["last_error"] for job in joined.member_jobs()]), PATIENCE)
        assert joined.marked("Pod1") == set()
    finally:
        nova.late = False
    until(lambda: joined.marked("Pod1"), PATIENCE)
    joined.until_marked(Pod1={(None, joined.address(server))}, Pod2={(None, near)})
    nova.late = True
    try:
        assert joined.who.compute.delete(f"/servers/{server}").status == 204
        until(lambda: joined.member_jobs()[0]["last_error"], PATIENCE)
        assert joined.marked("Pod1") != set()
    finally:
        nova.late = False
    joined.until_marked(Pod1=set(), Pod2={(None, near)})


def test_a_rule_that_names_another_group(joined):
    """`web` at home where it was made; only `db` has servers in the other pod."""
    web = joined.who.make("security-groups", name="web")["id"]
    home = next(pod.name for pod in joined.cloud if web in pod.network.shelf("security-groups"))
    away = next(pod for pod in PODS if pod != home)
    db = joined.who.make("security-groups", name="db")["id"]
    joined.boot(home, security_groups=[{"name": "web"}])
    server = joined.boot(away, security_groups=[{"name": "db"}])
    rule = joined.who.make("security-group-rules", security_group_id=web, direction="ingress", protocol="tcp",
                           remote_group_id=db)["id"]
    far = joined.address(server)
    joined.until_marked("web", **{home: {("tcp", far)}})
    joined.who.compute.ok("POST", f"/servers/{server}/action", {"removeSecurityGroup": {"name": "db"}})
    joined.until_marked("web", **{home: set()})
    joined.who.compute.ok("POST", f"/servers/{server}/action", {"addSecurityGroup": {"name": "db"}})
    joined.until_marked("web", **{home: {("tcp", far)}})
    joined.user.ok("DELETE", f"/security-group-rules/{rule}")
    joined.until_marked("web", **{home: set()})


def test_a_users_own_rule_takes_the_place_of_the_hidden_one(joined):
    (group,) = joined.user.ok("GET", "/security-groups")["security_groups"]
    home = next(pod.name for pod in joined.cloud if group["id"] in pod.network.shelf("security-groups"))
    away = next(pod for pod in PODS if pod != home)
    near, far = joined.address(joined.boot(home)), joined.address(joined.boot(away))
    joined.until_marked(**{home: {(None, far)}, away: {(None, near)}})
    for address in (far, near):   # one is hidden in the home, the other in the replica
        body = {"security_group_id": group["id"], "direction": "ingress", "remote_ip_prefix": address}
        rule = joined.who.make("security-group-rules", **body)["id"]
        assert joined.user.post("/security-group-rules", {"security_group_rule": body}).status == 409
        joined.until_marked(**{home: {(None, far)} - {(None, address)}, away: {(None, near)} - {(None, address)}})
        joined.user.ok("DELETE", f"/security-group-rules/{rule}")
        joined.until_marked(**{home: {(None, far)}, away: {(None, near)}})


def test_an_outage_shuts_nobody_out(joined):
    near, far = (joined.address(joined.boot(pod)) for pod in PODS)
    joined.until_marked(Pod1={(None, far)}, Pod2={(None, near)})
    joined.at_rest()
    joined.cloud["Pod2"].refuse()
    more = joined.who.make("ports", network_id=joined.nets["Pod1"])["fixed_ips"][0]["ip_address"] + "/32"
    until(lambda: "Pod2" in str(joined.member_jobs()[0]["last_error"]), PATIENCE)
    assert joined.marked("Pod1") == {(None, far)}
    joined.cloud["Pod2"].recover()
    joined.until_marked(Pod1={(None, far)}, Pod2={(None, near), (None, more)})
