"""Nobody changes by questions what another user finds, and no request makes the gateway ask for ever."""
import sqlite3
import uuid

import pytest

from tests.functional.user import IMAGE, User, flavor, holders

MOST = 200     # references in a body


@pytest.fixture(scope="module")
def a(gateway):
    return User(gateway)


@pytest.fixture
def b(gateway):
    return User(gateway)


def rows(gateway):
    return sorted(gateway.store()["routings"])


def asked(cloud):
    """How many calls the pods have had so far."""
    return sum(len(service.faults.calls) for pod in cloud for service in pod.services)


def sql(gateway, *statement):
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        assert db.execute(*statement).rowcount == 1


@pytest.fixture
def things(a):
    """What A has in Pod2: [(client, path, member key)]."""
    network, subnet = a.wired("az2")
    port = a.make("ports", network_id=network)["id"]
    server, disk = a.boot(None, "az2"), a.disk("az2")
    return [(a.network, f"/networks/{network}", "network"), (a.network, f"/subnets/{subnet}", "subnet"),
            (a.network, f"/ports/{port}", "port"), (a.compute, f"/servers/{server}", "server"),
            (a.volume, f"/volumes/{disk}", "volume")]


def test_a_refusal_teaches_nothing(gateway, a, b, things):
    """Questions that every pod refuses B: about A's things, and about nobody's."""
    before = rows(gateway)
    for id in [path.rpartition("/")[2] for _, path, _ in things] + [str(uuid.uuid4()) for _ in range(5)]:
        statuses = {b.compute.get(f"/os-hypervisors/{id}").status, b.compute.get(f"/os-services/{id}").status,
                    b.compute.delete(f"/os-services/{id}").status, b.volume.get(f"/os-hosts/{id}").status,
                    b.network.get(f"/agents/{id}").status, b.network.put(f"/agents/{id}", {"agent": {}}).status}
        assert statuses <= {403, 404, 405}
        for wrong in ("ports", "networks", "routers", "security-groups"):
            assert b.network.get(f"/{wrong}/{id}").status == 404
    assert rows(gateway) == before
    for client, path, member in things:
        assert client.ok("GET", path)[member]
        assert client.put(path, {member: {"name": "mine"}}).status == 200


def test_a_wrong_collection_teaches_nothing_to_its_owner_either(gateway, a, things):
    before = rows(gateway)
    for _, path, _ in things:
        for wrong in ("routers", "floatingips", "trunks"):
            assert a.network.get(f"/{wrong}/{path.rpartition('/')[2]}").status == 404
            assert a.network.delete(f"/{wrong}/{path.rpartition('/')[2]}").status == 404
    assert rows(gateway) == before
    for client, path, member in things:
        assert client.ok("GET", path)[member]


def test_rows_that_were_poisoned_before_cure_themselves(cloud, gateway, a, b, things):
    pod1 = gateway.pods["Pod1"]["pod_id"]
    for client, path, member in things:
        id = path.rpartition("/")[2]
        sql(gateway, "UPDATE routings SET kind = 'os-hypervisors', pod_id = ?, project_id = ? WHERE resource_id = ?",
            (pod1, b.project, id))
        assert client.put(path, {member: {"name": "mine"}}).status == 200
        row = next(row for row in rows(gateway) if row[0] == id)
        assert (row[1] != pod1, row[2], row[3]) == (True, path.split("/")[1], a.project)


@pytest.mark.parametrize("owner", ["a", "b"])
def test_a_row_with_the_wrong_pod_cures_itself_at_the_first_404(cloud, gateway, a, b, things, owner):
    """Whosever the row says that it is; by a GET, by a change, by something below it, by its end."""
    pod1, project = gateway.pods["Pod1"]["pod_id"], {"a": a, "b": b}[owner].project

    def poison(path):
        sql(gateway, "UPDATE routings SET pod_id = ?, project_id = ? WHERE resource_id = ?",
            (pod1, project, path.rpartition("/")[2]))

    for client, path, member in things:
        poison(path)
        assert client.ok("GET", path)[member]
        poison(path)
        assert client.put(path, {member: {"name": "cured"}}).status == 200
    network, server = things[0], things[3]
    poison(server[1])
    a.compute.ok("POST", f"{server[1]}/metadata", {"metadata": {"a": "b"}})
    poison(network[1])
    a.network.ok("PUT", f"{network[1]}/tags", {"tags": ["blue"]})
    for client, path, _ in (things[4], things[3], things[2], things[1]):
        poison(path)
        assert client.delete(path).status in (202, 204)
        assert client.get(path).status == 404


def test_what_is_not_there_for_b_is_not_corrected_by_b(gateway, a, b, things):
    _, path, _ = things[3]
    before = rows(gateway)
    assert b.compute.get(path).status == 404
    assert b.compute.delete(path).status == 404
    assert b.compute.post(f"{path}/action", {"os-stop": None}).status == 404
    assert rows(gateway) == before


def test_the_row_of_what_is_gone_goes(cloud, gateway, a):
    server = a.boot(None, "az2")
    del cloud["Pod2"].compute.shelf("servers")[server]
    assert a.compute.get(f"/servers/{server}").status == 404
    assert server not in {row[0] for row in rows(gateway)}


def test_another_pods_404_is_not_the_end_of_a_row(gateway, a):
    boss = User(gateway, "admin")
    mine = boss.net("az2")
    assert boss.network.get(f"/networks/{mine}", headers={"X-Tricircle-Pod": "Pod1"}).status == 404
    assert mine in {row[0] for row in rows(gateway)}


def test_an_id_in_capitals_is_the_id(cloud, gateway, a):
    """Whatever looks at it on the way: handlers, the place, replicas, quotas; a text that looks like one stays."""
    group = a.make("security-groups", name="loud", description="x")["id"]
    home, = holders(cloud, "network", "security-groups", group)
    away = {"Pod1": "Pod2", "Pod2": "Pod1"}[home]
    network, _ = a.wired(gateway.pods[away]["az_name"])
    body = {"port": {"network_id": network.upper(), "security_groups": [group.upper()], "name": group.upper()}}
    port = a.network.ok("POST", "/ports", body)["port"]
    assert (port["network_id"], port["security_groups"], port["name"]) == (network, [group], group.upper())
    assert holders(cloud, "network", "ports", port["id"]) == [away]
    local, = cloud[away].network.shelf("ports")[port["id"]]["security_groups"]
    found = a.network.ok("GET", f"/ports?id={port['id'].upper()}&network_id={network.upper()}")["ports"]
    assert [each["id"] for each in found] == [port["id"]]
    for each in (local, local.upper()):
        assert a.network.post("/ports", {"port": {"network_id": network, "security_groups": [each]}}).status == 404
    router = a.make("routers", availability_zone_hints=["az1"])["id"]
    subnet = a.subnet(network)
    added = a.network.ok("PUT", f"/routers/{router.upper()}/add_router_interface", {"subnet_id": subnet.upper()})
    assert (added["id"], added["subnet_id"]) == (router, subnet)
    disk = a.disk("az2")
    a.volume.ok("POST", "/snapshots", {"snapshot": {"volume_id": disk.upper(), "force": True}})
    assert a.volume.ok("GET", f"/volumes/{disk.upper()}.json")["volume"]["id"] == disk


def unknown(count):
    return [str(uuid.uuid4()) for _ in range(count)]


def bodies(gateway, ids):
    """Bodies with many references: (service, path, body)."""
    server = {"name": "x", "flavorRef": flavor(gateway), "imageRef": IMAGE}
    return [("network", "/ports", {"port": {"network_id": ids[0], "security_groups": ids[1:]}}),
            ("network", "/ports", {"ports": [{"network_id": each} for each in ids]}),
            ("network", "/trunks", {"trunk": {"port_id": ids[0], "sub_ports": [{"port_id": each} for each in ids]}}),
            ("compute", "/servers", {"server": server | {"networks": [{"uuid": each} for each in ids[1:]]}}),
            ("compute", "/servers", {"server": server | {"security_groups": [{"name": each} for each in ids[1:]]}}),
            ("compute", "/servers", {"server": server | {"security_groups": [{"name": f"x{n}"} for n in ids[1:]]}}),
            ("compute", "/servers", {"server": server | {"networks": "none", "block_device_mapping_v2": [
                {"uuid": each, "source_type": "volume"} for each in ids[1:]]}})]


def test_a_body_with_thousands_of_references_is_refused_before_anybody_is_asked(cloud, gateway, b):
    for service, path, body in bodies(gateway, unknown(5_000)):
        before = asked(cloud)
        answer = getattr(b, service).post(path, body)
        assert (answer.status, f"more than {MOST} things" in answer.raw.decode()) == (400, True)
        assert asked(cloud) - before <= 4, "version documents at most"


def test_no_handler_goes_through_more_than_that_either(cloud, gateway, b):
    """Those whose requests cross pods, by bodies that name one thing very often, or very many."""
    network, router, ids = b.net("az1"), b.make("routers")["id"], unknown(5_000)
    pooled = {"network_id": network, "use_default_subnetpool": True, "ip_version": 4}
    for client, method, path, body in (
            (b.network, "POST", "/subnets", {"subnets": [pooled] * 5_000}),
            (b.network, "POST", "/subnets", {"subnets": [{**pooled, "subnetpool_id": each} for each in ids]}),
            (b.network, "POST", "/security-group-rules", {"security_group_rules": [
                {"security_group_id": each, "direction": "ingress"} for each in ids]}),
            (b.network, "POST", "/floatingips", {"floatingips": [{"port_id": each} for each in ids]}),
            (b.network, "PUT", f"/routers/{router}/add_router_interface", {f"x{n}": {"subnet_id": n} for n in ids}),
            (b.compute, "POST", "/servers", {"server": {}, **{f"x{n}": {"key_name": n} for n in ids}}),
            (b.volume, "POST", "/volumes", {f"x{n}": {"volume_type": n} for n in ids})):
        before = asked(cloud)
        assert client.call(method, path, body).status == 400
        assert asked(cloud) - before <= 12, (path, list(body)[:1])


def test_as_many_unknown_ids_as_may_be_are_one_question(cloud, gateway, b):
    """To Neutron; Cinder has no list by ids, so there each is a question, and never a second one."""
    for service, path, body in bodies(gateway, unknown(MOST)):
        for least in (2 * (MOST + 20) if "block_device" in str(body) else 24, 24):
            before = asked(cloud)
            assert 400 <= getattr(b, service).post(path, body).status < 500
            assert asked(cloud) - before <= least, (path, list(body))


def test_a_broken_pod_is_not_one_that_has_nothing(cloud, gateway, a, b):
    network = a.net("az2")
    sql(gateway, "DELETE FROM routings WHERE resource_id = ?", (network,))
    cloud["Pod2"].network.faults.every = 1
    assert a.network.get(f"/networks/{network}").status == 503
    body = {"port": {"network_id": network, "security_groups": unknown(3)}}
    with cloud.unchanged():
        assert a.network.post("/ports", body).status == 503
    cloud["Pod2"].network.faults.clear()
    assert a.network.ok("GET", f"/networks/{network}")["network"]["id"] == network
    assert holders(cloud, "network", "networks", network) == ["Pod2"]
