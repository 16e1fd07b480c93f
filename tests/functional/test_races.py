"""Fifty threads at one thing, over real sockets and several processes: exactly one of it comes to be."""
import threading
import uuid

import pytest

from tests.functional.client import Client
from tests.functional.quotas import put
from tests.functional.user import IMAGE, User, flavor, holders

MANY = 50
MARK = "tricircle:"


def race(calls):
    """Run all at once; their results in order. An exception of one is raised."""
    start, results, errors = threading.Barrier(len(calls)), [None] * len(calls), []

    def run(number):
        start.wait(30)
        try:
            results[number] = calls[number]()
        except Exception as error:  # noqa: BLE001 - shown below
            errors.append(error)
    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive(), "a call did not come back"
    assert not errors, errors[:3]
    return results


def statuses(answers):
    """{status: how often}."""
    found = {}
    for answer in answers:
        found[answer.status] = found.get(answer.status, 0) + 1
    return found


@pytest.fixture
def user(gateway):
    """A new user in a new project."""
    return User(gateway)


def test_one_binding(cloud, gateway, user):
    answers = race([lambda n=n: user.network.post("/networks", {"network": {"name": f"n{n}",
                                                                           "availability_zone_hints": ["az1"]}})
                    for n in range(MANY)])
    assert statuses(answers) == {201: MANY}
    mine = [b for b in gateway.client("admin", "admin").ok("GET", "/bindings")["pod_bindings"]
            if b["tenant_id"] == user.project]
    assert len(mine) == 1


def test_one_default_pod(cloud, gateway):
    """Ten new projects, five first networks each: what one project's binding does to the counts moves no other one."""
    users = [User(gateway) for _ in range(MANY // 5)]
    answers = race([lambda u=u: (u.project, u.network.post("/networks", {"network": {}})) for u in users * 5])
    homes = {}
    for project, answer in answers:
        assert answer.status == 201
        homes.setdefault(project, set()).update(holders(cloud, "network", "networks", answer["network"]["id"]))
    assert {len(pods) for pods in homes.values()} == {1}
    bound = [b["tenant_id"] for b in gateway.client("admin", "admin").ok("GET", "/bindings")["pod_bindings"]]
    assert all(bound.count(user.project) == 1 for user in users)


def test_one_pod_by_admins_hand(cloud, gateway):
    tenant, id = uuid.uuid4().hex, gateway.pods["Pod1"]["pod_id"]
    admin = gateway.client("admin", "admin")
    answers = race([lambda: admin.post("/bindings", {"pod_binding": {"tenant_id": tenant, "pod_id": id}})
                    for _ in range(MANY)])
    assert statuses(answers) == {201: 1, 409: MANY - 1}


def test_one_replica_of_a_group(cloud, user):
    group = user.make("security-groups", name="web")["id"]
    user.make("security-group-rules", security_group_id=group, direction="ingress", protocol="icmp")
    home, = holders(cloud, "network", "security-groups", group)
    away = next(pod for pod in cloud if pod.name != home)
    network, _ = user.wired({"Pod1": "az1", "Pod2": "az2"}[away.name])
    answers = race([lambda: user.network.post("/ports", {"port": {"network_id": network, "security_groups": [group]}})
                    for _ in range(MANY)])
    assert statuses(answers) == {201: MANY}
    copies = [row for row in away.network.shelf("security-groups").values() if row["description"] == MARK + group]
    assert len(copies) == 1
    local = copies[0]["id"]
    rules = [row for row in away.network.shelf("security-group-rules").values() if row["security_group_id"] == local]
    assert len(rules) == 3, "two egress rules and the user's"
    assert {tuple(answer["port"]["security_groups"]) for answer in answers} == {(group,)}


def test_one_replica_of_a_router(cloud, gateway, user):
    router = user.make("routers", name="r")["id"]
    home, = holders(cloud, "network", "routers", router)
    away = next(pod for pod in cloud if pod.name != home)
    zone = {"Pod1": "az1", "Pod2": "az2"}[away.name]
    network = user.net(zone)
    subnets = [user.subnet(network) for _ in range(MANY)]
    answers = race([lambda s=s: user.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": s})
                    for s in subnets])
    assert statuses(answers) == {200: MANY}
    copies = [row for row in away.network.shelf("routers").values() if row["description"] == MARK + router]
    assert len(copies) == 1
    assert {answer["id"] for answer in answers} == {router}
    ports = [p for p in away.network.shelf("ports").values() if p["device_id"] == copies[0]["id"]]
    assert len(ports) == MANY
    jobs = gateway.client("admin", "admin").ok("GET", f"/jobs?resource_id={router}")["jobs"]
    assert [job["state"] for job in jobs] == ["queued"]


def test_one_default_group(cloud, user):
    """Two pods make a group `default` each; whoever asks first, all see the same one."""
    answers = race([lambda: user.network.get("/security-groups?name=default") for _ in range(MANY)])
    assert statuses(answers) == {200: MANY}
    ids = {tuple(g["id"] for g in answer["security_groups"]) for answer in answers}
    assert len(ids) == 1
    assert len(ids.pop()) == 1


def test_one_copy_of_a_keypair_and_of_a_flavor(cloud, gateway, user):
    direct = Client(cloud["Pod1"].compute.server.url + "/v2.1", user.token.id)
    direct.ok("POST", "/os-keypairs", {"keypair": {"name": "mine", "public_key": f"ssh-rsa {uuid.uuid4().hex}"}})
    boss = Client(cloud["Pod1"].compute.server.url + "/v2.1", cloud.token("admin").id)
    id = uuid.uuid4().hex[:8]
    boss.ok("POST", "/flavors", {"flavor": {"name": id, "id": id, "ram": 64, "vcpus": 1, "disk": 1}})
    body = {"name": "x", "flavorRef": id, "imageRef": IMAGE, "networks": "none", "availability_zone": "az2",
            "key_name": "mine"}
    answers = race([lambda: user.compute.post("/servers", {"server": body},
                                              headers={"OpenStack-API-Version": "compute 2.37"}) for _ in range(10)])
    assert statuses(answers) == {202: 10}
    assert holders(cloud, "compute", "flavors", id) == ["Pod1", "Pod2"]


def test_an_unknown_id_is_asked_for_once(cloud, gateway, user):
    """Single flight in each of the gateway's processes."""
    direct = Client(cloud["Pod2"].network.server.url + "/v2.0", user.token.id)
    id = direct.ok("POST", "/networks", {"network": {"name": "x"}})["network"]["id"]
    faults = cloud["Pod1"].network.faults
    faults.slow, faults.only, faults.calls[:] = 0.5, f"GET /v2.0/networks/{id}", []
    answers = race([lambda: user.network.get(f"/networks/{id}") for _ in range(MANY)])
    assert statuses(answers) == {200: MANY}
    asked = [path for method, path in faults.calls if path.endswith(id)]
    assert 1 <= len(asked) <= 2, "the gateway has two processes"
    assert cloud["Pod1"].network.shelf("networks").get(id) is None


def test_creating_and_deleting_at_once_leaves_no_ghosts(cloud, gateway, user):
    def life(zone):
        id = user.boot(None, zone)
        user.compute.ok("GET", f"/servers/{id}")
        return user.compute.delete(f"/servers/{id}").status
    flavor(gateway)
    # Twenty may live at once: more than the pods' own default allows.
    boss = User(gateway, cloud.identity.newcomer(("admin", "member")))
    put(boss, user, "compute", instances=40, cores=40)
    assert set(race([lambda z=z: life(z) for z in ("az1", "az2") * 10])) == {204}
    assert user.compute.ok("GET", "/servers")["servers"] == []
