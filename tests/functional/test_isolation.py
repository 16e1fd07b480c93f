"""Project B never sees A's things, nor anybody Tricircle's own."""
import pytest

from tests.functional.client import Client
from tests.functional.standin.cloud import difference
from tests.functional.user import User, holders

MARK = "tricircle:"


@pytest.fixture(scope="module")
def estate(gateway):
    """What A has, in both pods: {(service, collection): [ids]}; with replicas of a group and of a router."""
    user, found = User(gateway), {}

    def add(service, collection, id):
        found.setdefault((service, collection), []).append(id)
        return id
    group = add("network", "security-groups", user.make("security-groups", name="web")["id"])
    router = add("network", "routers", user.make("routers", name="r")["id"])
    for zone in ("az1", "az2"):
        network, subnet = user.wired(zone)
        add("network", "networks", network)
        add("network", "subnets", subnet)
        add("network", "ports", user.make("ports", network_id=network, security_groups=[group])["id"])
        user.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
        add("compute", "servers", user.boot(network, zone, security_groups=[{"name": "web"}]))
        add("volume", "volumes", user.disk(zone))
    return user, found


def test_the_estate_has_replicas(cloud, estate):
    """Without replicas the tests below would prove nothing."""
    marks = [row["description"] for pod in cloud for kind in ("routers", "security-groups")
             for row in pod.network.shelf(kind).values() if row["description"].startswith(MARK)]
    ids = estate[1][("network", "routers")] + estate[1][("network", "security-groups")]
    assert {MARK + id for id in ids} <= set(marks)


def test_lists_of_another_project_are_empty(gateway, estate):
    other = User(gateway)
    for service, collection in estate[1]:
        key = collection.replace("-", "_")
        rows = getattr(other, service).ok("GET", f"/{collection}")[key]
        assert [row for row in rows if row.get("name") != "default"] == []


def test_members_are_not_found_by_another_project(cloud, gateway, estate):
    other = User(gateway)
    other.boot(None, "az1")
    before = cloud.snapshot()
    for (service, collection), ids in estate[1].items():
        for id in ids:
            client = getattr(other, service)
            assert client.get(f"/{collection}/{id}").status == 404, (collection, id)
            assert client.delete(f"/{collection}/{id}").status == 404, (collection, id)
            member = collection.replace("-", "_").rstrip("s")
            assert client.put(f"/{collection}/{id}", {member: {"name": "stolen"}}).status == 404, (collection, id)
    after = cloud.snapshot()
    assert [line for line in difference(before, after) if other.project not in line] == []


def test_another_project_cannot_use_them(cloud, gateway, estate):
    other, (_, found) = User(gateway), estate
    network = other.net("az1")
    router = other.make("routers", name="own")["id"]
    group, = found[("network", "security-groups")]
    for id in found[("network", "networks")]:
        assert other.network.post("/ports", {"port": {"network_id": id}}).status in (403, 404)
        assert other.network.post("/subnets", {"subnet": {"network_id": id, "ip_version": 4, "cidr": "10.66.0.0/24"}}
                                  ).status in (403, 404)
    for id in found[("network", "subnets")]:
        answer = other.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": id})
        assert answer.status == 404
    answer = other.network.post("/ports", {"port": {"network_id": network, "security_groups": [group]}})
    assert answer.status == 404
    for zone in ("az1", "az2"):
        body = {"port": {"network_id": other.net(zone), "security_groups": [group]}}
        assert other.network.post("/ports", body).status == 404
    mine = other.boot(None, "az1")
    for id in found[("volume", "volumes")]:
        answer = other.compute.post(f"/servers/{mine}/os-volume_attachments", {"volumeAttachment": {"volumeId": id}})
        assert answer.status in (400, 404)
    made = [row for pod in cloud for kind in ("routers", "security-groups") for row in pod.network.shelf(kind).values()
            if row["project_id"] == other.project and row["description"].startswith(MARK + group)]
    assert made == [], "what he may not see is not replicated for him"


def test_replicas_and_plumbing_show_to_nobody(cloud, gateway, estate):
    user, found = estate
    # Other files' tenants forge marks on what is theirs, which everybody may see who sees the tenants' things.
    honest = (user.project, cloud.identity.project("service").id, "")
    for who in (user, User(gateway, "admin")):
        for collection in ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules"):
            key = collection.replace("-", "_")
            rows = who.network.ok("GET", f"/{collection}")[key]
            assert [row for row in rows if str(row.get("description") or "").startswith(MARK)
                    and row["project_id"] in honest] == []
            ids = [row["id"] for row in rows]
            assert len(ids) == len(set(ids))
    mine = user.network.ok("GET", "/routers")["routers"]
    assert [row["id"] for row in mine] == found[("network", "routers")]
    groups = user.network.ok("GET", "/security-groups")["security_groups"]
    assert sorted(g["name"] for g in groups) == ["default", "web"]


# Networks, where their records have no mark: (API, list, its key, field with the network's id).
SHOWN_OTHERWISE = (("compute", "/os-networks", "networks", "id"), ("compute", "/os-tenant-networks", "networks", "id"),
                   ("network", "/segments", "segments", "network_id"),
                   ("network", "/network-ip-availabilities", "network_ip_availabilities", "network_id"))


def test_what_is_ours_is_hidden_even_when_the_store_has_forgotten_it(cloud, gateway):
    """Plumbing is in no table of replicas, and a lost answer leaves replicas that nobody wrote down."""
    user = User(gateway)
    router, network, group = (user.make(kind, name="x")["id"] for kind in ("routers", "networks", "security-groups"))
    home, = holders(cloud, "network", "routers", router)
    away = {"Pod1": "Pod2", "Pod2": "Pod1"}[home]
    boss = Client(cloud[away].network.server.url + "/v2.0", cloud.token("tricircle").id)
    planted = {}

    def plant(kind, **fields):
        member = kind.replace("-", "_").rstrip("s")
        planted[kind] = boss.ok("POST", f"/{kind}", {member: {"name": "planted", **fields}})[member]["id"]

    plant("routers", description=MARK + router, project_id=user.project)
    plant("security-groups", description=MARK + group, project_id=user.project)
    plant("networks", description=f"{MARK}bridge:{user.project}")
    plant("ports", description=f"{MARK}bridge:{router}", network_id=planted["networks"])
    for who in (user, User(gateway, "admin")):
        for kind, id in planted.items():
            for query in ("", "?fields=id", f"?id={id}"):
                rows = who.network.ok("GET", f"/{kind}{query}")[kind.replace("-", "_")]
                assert id not in [row["id"] for row in rows], kind
            assert who.network.get(f"/{kind}/{id}").status == 404, kind
        for client, path, key, field in SHOWN_OTHERWISE:
            rows = getattr(who, client).ok("GET", path)[key]
            assert planted["networks"] not in [row[field] for row in rows], path
        for path in ("/os-networks", "/os-tenant-networks"):
            assert who.compute.get(f"{path}/{planted['networks']}").status == 404, path
            assert who.compute.get(f"{path}/{network}").status == 200, path
    assert [row["id"] for row in user.network.ok("GET", "/networks")["networks"]] == [network]


def test_a_replicas_own_id_is_no_name_for_anybody(cloud, gateway, estate):
    user, _ = estate
    for pod in cloud:
        for kind in ("routers", "security-groups"):
            for row in list(pod.network.shelf(kind).values()):
                if row["project_id"] == user.project and row["description"].startswith(MARK):
                    for who in (user, User(gateway, "admin")):
                        assert who.network.get(f"/{kind}/{row['id']}").status == 404
                        assert who.network.delete(f"/{kind}/{row['id']}").status == 404
                    assert holders(cloud, "network", kind, row["id"]) == [pod.name]


def test_nobody_writes_the_mark(cloud, gateway, estate):
    user, (_, found) = User(gateway), estate
    user.boot(None, "az1")
    router, = found[("network", "routers")]
    with cloud.unchanged():
        for body in ({"router": {"name": "x", "description": MARK + router}},
                     {"routers": [{"name": "x", "description": MARK + router}]}):
            assert user.network.post("/routers", body).status == 400
    mine = user.net()
    assert user.network.put(f"/networks/{mine}", {"network": {"description": MARK + "bridge:x"}}).status == 400


def test_a_reader_reads(cloud, gateway):
    alice, rita = User(gateway, "alice"), User(gateway, "rita")
    network = alice.net("az2")
    assert rita.network.get(f"/networks/{network}").status == 200
    for call in (lambda: rita.network.post("/networks", {"network": {}}),
                 lambda: rita.network.delete(f"/networks/{network}"),
                 lambda: rita.volume.post("/volumes", {"volume": {"size": 1}})):
        assert call().status == 403
    assert holders(cloud, "network", "networks", network) == ["Pod2"]


def test_flavors_belong_to_administrators(cloud, gateway):
    user = User(gateway)
    with cloud.unchanged():
        body = {"flavor": {"name": "mine", "id": "mine", "ram": 64, "vcpus": 1, "disk": 1}}
        assert user.compute.post("/flavors", body).status == 403
        assert user.compute.get("/os-aggregates").status == 403
        assert user.compute.get("/servers?all_tenants=1").status == 403
        assert user.compute.get("/os-hypervisors").status == 403


def test_a_token_is_needed_everywhere(gateway):
    for service, path in (("compute", "/servers"), ("volume", "/volumes"), ("network", "/networks")):
        for token in (None, "stale"):
            client = gateway.client(service, None)
            client.token = token
            for method in ("GET", "POST"):
                answer = client.call(method, path)
                assert answer.status == 401
                assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_a_revoked_token_is_refused(cloud, gateway):
    user = User(gateway)
    user.net()
    cloud.identity.revoke(user.token.id)
    assert user.network.get("/networks").status == 401
