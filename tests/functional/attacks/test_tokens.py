"""Whom a token stands for, and for what: nobody is somebody else, and nobody may more than Keystone says."""
import pytest

from tests.functional.gateway import Gateway
from tests.functional.user import User, flavor

SERVICES = {"compute": "/servers", "volume": "/volumes", "network": "/networks"}
DOCUMENTS = {"compute": "/", "volume": "/", "network": "/", "admin": ""}


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """One that remembers tokens: it has a memcached, though nobody listens there; one process, for one memory."""
    made = Gateway(cloud, tmp_path_factory.mktemp("tokens"), processes=1, authtoken="memcached_servers = 127.0.0.1:9")
    yield made.start().register()
    made.stop()


@pytest.fixture(scope="module")
def boss(gateway):
    """A new administrator."""
    return User(gateway, gateway.cloud.identity.newcomer(("admin", "member", "reader")))


def asked(cloud):
    """How many calls the pods have had."""
    return sum(len(service.faults.calls) for pod in cloud for service in pod.services)


# Memory of tokens


@pytest.mark.parametrize("header", ["X-Storage-Token", "x-storage-token"])
def test_a_token_in_another_header_opens_nothing_and_nobody_follows_it_in(cloud, gateway, boss, header):
    nobody = {service: gateway.client(service, None) for service in (*SERVICES, "admin")}
    pod = gateway.pods["Pod1"]["pod_id"]
    with cloud.unchanged():
        for _ in range(3):
            assert boss.admin.get("/pods").status == 200     # known from now on
            assert nobody["admin"].get("/pods", headers={header: boss.token.id}).status == 401
            assert [nobody["admin"].get("/pods").status for _ in range(3)] == [401] * 3
            assert nobody["admin"].delete(f"/pods/{pod}").status == 401
            for service, path in SERVICES.items():
                assert nobody[service].get(path, headers={header: boss.token.id}).status == 401
                assert nobody[service].get(path).status == 401


def test_the_other_header_does_not_count_beside_the_right_one(cloud, gateway, boss):
    user = User(gateway)
    for _ in range(2):
        assert user.admin.get("/pods", headers={"X-Storage-Token": boss.token.id}).status == 403
    made = user.network.ok("POST", "/networks", {"network": {}}, headers={"X-Storage-Token": boss.token.id})["network"]
    assert made["project_id"] == user.project
    assert "x-storage-token" not in cloud.writes()[-1].headers


def test_a_bad_service_token_spoils_a_known_token_for_that_request_alone(gateway):
    user = User(gateway)
    for _ in range(3):
        assert user.compute.get("/servers").status == 200
        assert user.compute.get("/servers", headers={"X-Service-Token": "nonsense"}).status == 401
        assert user.compute.get("/servers", headers={"X-Service-Token": user.token.id}).status == 401


# Scopes


@pytest.mark.parametrize("scope", ["domain", "system", "none"])
def test_an_administrator_of_something_else_is_none_of_the_cloud(cloud, gateway, boss, scope):
    other = User(gateway, cloud.identity.like(boss.token, scope=scope))
    before, calls = gateway.store(), asked(cloud)
    for _ in range(2):
        for method, path in (("GET", "/pods"), ("POST", "/pods"), ("GET", "/jobs"), ("GET", "/bindings"),
                             ("DELETE", f"/pods/{gateway.pods['Pod1']['pod_id']}")):
            assert other.admin.call(method, path, {} if method == "POST" else None).status == 403
        for service, path in SERVICES.items():
            for headers in ({}, {"X-Tricircle-Pod": "Pod1"}):
                for method in ("GET", "POST"):
                    answer = getattr(other, service).call(method, path, {} if method == "POST" else None,
                                                          headers=headers)
                    assert answer.status == 403, f"{service} {method}: {answer.status}"
                    assert answer.body
    assert gateway.store() == before
    assert asked(cloud) == calls
    assert other.network.get("/").status == 200     # a version document is nobody's


def test_an_administrator_of_another_project_than_the_clouds(cloud, gateway, boss):
    """Where Keystone names an admin project (`[resource]admin_project_name`)."""
    other = User(gateway, cloud.identity.like(boss.token, admin_project=False))
    for _ in range(2):
        assert boss.admin.get("/pods").status == 200
        assert other.admin.get("/pods").status == 403
        for service, path in SERVICES.items():
            assert getattr(other, service).get(path, headers={"X-Tricircle-Pod": "Pod1"}).status == 403
            assert getattr(other, service).get(path).status == 200


# Access rules


def ruled(cloud, user, *rules):
    """The user with an application credential, of rules as (service, method, path)."""
    return User(user.gateway, cloud.identity.like(user.token, rules=tuple(
        {"service": service, "method": method, "path": path} for service, method, path in rules)))


@pytest.mark.parametrize(("service", "kind", "root"), [
    ("compute", "compute", "/v2.1"), ("volume", "volumev3", "/v3"), ("network", "network", "/v2.0"),
    ("admin", "Cascading", "/v1.0")])
def test_rules_are_those_of_the_api_that_is_called(cloud, gateway, boss, service, kind, root):
    path = {**SERVICES, "admin": "/pods"}[service]
    user = ruled(cloud, boss, (kind, "GET", root + path))
    for _ in range(2):
        assert getattr(user, service).get(path).status == 200
        assert getattr(user, service).get(path + "/x").status == 401
        assert getattr(user, service).post(path, {}).status == 401
        assert getattr(user, service).get(path, headers={"X-Service-Token": user.token.id}).status == 401
        for other, its_path in {**SERVICES, "admin": "/pods"}.items():
            if other != service:
                assert getattr(user, other).get(its_path).status == 401
                assert getattr(user, other).get(its_path, headers={"X-Tricircle-Pod": "Pod1"}).status == 401


def test_what_is_asked_on_the_way_needs_no_rule_and_the_request_itself_does(cloud, gateway):
    owner = User(gateway)
    network, _ = owner.wired("az2")
    flavor(gateway)
    group = owner.make("security-groups", name="g")["name"]
    user = ruled(cloud, owner, ("compute", "POST", "/v2.1/servers"), ("compute", "GET", "/v2.1/servers/*"))
    mark = len(cloud.log)
    server = user.boot(network, security_groups=[{"name": group}])
    assert user.compute.get(f"/servers/{server}").status == 200
    assert user.network.get(f"/networks/{network}").status == 401
    own, = [write for write in cloud.writes(mark) if write.path.endswith("/servers")]
    assert own.pod == "Pod2"
    assert own.who == owner.token.user.name
    assert "x-service-token" not in own.headers
    with cloud.unchanged():
        assert user.compute.delete(f"/servers/{server}").status == 401


def test_a_router_over_two_pods_needs_the_rule_for_its_action_alone(cloud, gateway):
    """The gateway's own looks at router and subnet are not the user's requests."""
    owner = User(gateway)
    router = owner.make("routers", name="r")["id"]
    _, subnet = owner.wired("az2")
    user = ruled(cloud, owner, ("network", "PUT", "/v2.0/routers/*/add_router_interface"))
    joined = user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    assert joined["subnet_id"] == subnet
    with cloud.unchanged():
        assert user.network.put(f"/routers/{router}", {"router": {"name": "x"}}).status == 401


def test_no_spelling_goes_round_a_rule(cloud, gateway):
    owner = User(gateway)
    server = owner.boot(None, "az1")
    user = ruled(cloud, owner, ("compute", "GET", "/v2.1/servers/*"), ("compute", "POST", "/v2.1/flavors/**"))
    with cloud.unchanged():
        for path in (f"/v2.1/servers/{server}/os-interface", "/v2.1/flavors%2f..%2fservers", "/v2.1/os-volumes_boot",
                     "/v2.1/%73ervers", f"/v2.1/flavors/..%2fservers/{server}/action"):
            answer = user.compute.post(user.compute.url.replace("/v2.1", "") + path, {"reboot": {"type": "SOFT"}})
            assert answer.status in (400, 401), path
    assert user.compute.get(f"/%73ervers/{server}").status == 200
