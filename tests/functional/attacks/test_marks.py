"""A mark proves nothing: B writes Tricircle's mark on what is his, straight at a pod, and A does not notice."""
import contextlib
import sqlite3
import uuid

import pytest

from tests.functional.client import Client
from tests.functional.gateway import until
from tests.functional.test_floatingips import Case
from tests.functional.user import IMAGE, User, flavor

MARK = "tricircle:"
LISTS = ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules", "subnetpools",
         "address-scopes")
ROOTS = {"network": "/v2.0", "compute": "/v2.1"}


class Tenant(User):
    """A user who reaches the pods directly, too."""

    def at(self, pod, service="network"):
        """A client of one pod's service."""
        root = getattr(self.gateway.cloud[pod], service).server.url + ROOTS[service]
        return Client(root, self.token.id, headers={"X-OpenStack-Nova-API-Version": "2.64"})

    def forge(self, pod, collection, mark, **fields):
        """Make something straight at a pod, with a mark; its id."""
        field = "name" if collection == "address-scopes" else "description"
        member = collection.rpartition("/")[2].replace("-", "_").rstrip("s")
        body = {"name": "forged", **fields, field: MARK + mark}
        return self.at(pod).ok("POST", f"/{collection}", {member: body})[member]["id"]

    def listed(self, collection, service="network", query=""):
        """Ids that the gateway lists."""
        key = collection.removeprefix("os-").replace("-", "_")
        rows = getattr(self, service).ok("GET", f"/{collection}{query}")[key]
        return [row["id"] for row in rows]


class Victim(Tenant):
    """A, with a group and a router that have replicas in Pod2, a subnet pool, a scope and a server group."""

    def __init__(self, gateway):
        super().__init__(gateway)
        self.nets = {pod: self.wired(f"az{pod[-1]}") for pod in ("Pod1", "Pod2")}
        self.port()   # binds the project to both pods: what has no zone goes to the first
        self.group = self.make("security-groups", name="web")["id"]
        self.network.ok("POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": self.group, "direction": "ingress", "protocol": "tcp", "port_range_min": 4321,
            "port_range_max": 4321, "remote_ip_prefix": "203.0.113.77/32"}})
        self.home = next(pod.name for pod in gateway.cloud if self.group in pod.network.shelf("security-groups"))
        self.away = {"Pod1": "Pod2", "Pod2": "Pod1"}[self.home]
        self.port(security_groups=[self.group])
        self.router = self.make("routers", name="r", availability_zone_hints=[f"az{self.home[-1]}"])["id"]
        self.network.ok("PUT", f"/routers/{self.router}/add_router_interface", {"subnet_id": self.nets[self.away][1]})

    def port(self, pod=None, **fields):
        """A port in the pod where the group is a replica, or in both."""
        for each in [pod] if pod else self.nets:
            self.make("ports", network_id=self.nets[each][0], **fields)

    def local(self, resource_id):
        """Its replica's id in the other pod, by the store."""
        pod_id = self.gateway.pods[self.away]["pod_id"]
        return next((row[4] for row in self.gateway.store()["replicas"] if row[:2] == (resource_id, pod_id)), None)

    def state(self):
        """Rows of the store, things in the pods and lists, without what a mere look changes."""
        store, things = self.gateway.store(), {}
        for pod in self.gateway.cloud:
            for service in (pod.network, pod.compute):
                things |= {(pod.name, shelf, id): row for shelf, rows in service.snapshot().items()
                           for id, row in rows.items() if self.project in (row.get("project_id"), row.get("_project"))
                           or self._is_rule(pod, row)}
        mine = {id for *_, id in things}
        rows = {table: sorted(row for row in store[table] if self.project in row or mine & set(map(str, row)))
                for table in ("replicas", "default_groups", "bridges", "bridge_ips")}
        homes = {row[:3] for row in store["routings"] if row[0] in mine}
        lists = {kind: self.network.ok("GET", f"/{kind}")[kind.replace("-", "_")] for kind in LISTS}
        return {"rows": rows, "things": things, "homes": homes, "lists": lists}

    def _is_rule(self, pod, row):
        group = pod.network.shelf("security-groups").get(row.get("security_group_id"))
        return bool(group) and group["project_id"] == self.project

    @contextlib.contextmanager
    def untouched(self):
        """What is done in the block changes nothing of A's."""
        self.state()   # a first look makes `default` groups
        before = self.state()
        yield
        after = self.state()
        assert after["homes"] >= before.pop("homes")
        for part, was in before.items():
            assert after[part] == was, part


@pytest.fixture(scope="module")
def victim(gateway):
    return Victim(gateway)


@pytest.fixture
def thief(gateway):
    made = Tenant(gateway)
    for zone in ("az1", "az2"):
        made.wired(zone)
    return made


def plant(gateway, *row):
    """A row of `replicas` as an older gateway wrote it on a tenant's word: home id, pod, kind, project, local id."""
    home_id, pod, kind, project, local = row
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        db.execute("DELETE FROM replicas WHERE resource_id = ? AND pod_id = ?", (home_id, gateway.pods[pod]["pod_id"]))
        db.execute("INSERT INTO replicas VALUES (?, ?, ?, ?, ?, 0, 0, 0)",
                   (home_id, gateway.pods[pod]["pod_id"], kind, project, local))


def zone(pod):
    return f"az{pod[-1]}"


# Groups

def test_no_id_can_be_taken_over(gateway, victim, thief):
    image = str(uuid.uuid4())
    forged = thief.forge("Pod1", "security-groups", image, name="mine")
    with victim.untouched():
        thief.boot(thief.net("az1"), "az1", security_groups=[{"name": "mine"}])
        thief.boot(thief.net("az1"), "az1", security_groups=[{"name": forged}])
    assert image not in str(gateway.store()["replicas"])
    server = victim.boot(victim.nets["Pod1"][0], "az1", imageRef=image)
    assert victim.compute.ok("GET", f"/servers/{server}")["server"]["image"]["id"] == image


def test_a_group_of_another_project_is_no_replica(gateway, victim, thief):
    forged = thief.forge(victim.away, "security-groups", victim.group, name="mine")
    own = victim.local(victim.group)
    with victim.untouched():
        thief.boot(thief.net(zone(victim.away)), zone(victim.away), security_groups=[{"name": "mine"}])
        thief.make("ports", network_id=thief.net(zone(victim.away)), security_groups=[forged])
        assert forged in thief.listed("security-groups")
        shown = thief.network.ok("GET", f"/security-groups/{forged}")
    assert "203.0.113.77" not in str(shown)
    assert victim.local(victim.group) == own
    victim.port(victim.away, security_groups=[victim.group])


def test_a_row_that_was_written_on_a_tenants_word_leaks_nothing_and_cures_itself(cloud, gateway, victim, thief):
    forged = thief.forge(victim.away, "security-groups", victim.group, name="mine")
    own, shelf = victim.local(victim.group), cloud[victim.away].network.shelf("security-group-rules")
    plant(gateway, victim.group, victim.away, "security-groups", victim.project, forged)
    before = {id: row for id, row in shelf.items() if row["security_group_id"] == forged}
    victim.port(victim.away, security_groups=[victim.group])
    assert {id: row for id, row in shelf.items() if row["security_group_id"] == forged} == before
    assert victim.local(victim.group) == own, "found again by its mark, in A's project"


@pytest.mark.parametrize("follow", ["PUT", "rule"])
def test_the_job_writes_nothing_into_another_projects_group(cloud, gateway, worker, thief, follow):
    victim = Victim(gateway)
    forged = thief.forge(victim.away, "security-groups", victim.group, name="mine")
    plant(gateway, victim.group, victim.away, "security-groups", victim.project, forged)
    before = dict(cloud[victim.away].network.shelf("security-groups")[forged])
    if follow == "PUT":
        victim.network.ok("PUT", f"/security-groups/{victim.group}", {"security_group": {"name": "secret"}})
    else:
        victim.network.ok("POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": victim.group, "direction": "ingress", "remote_ip_prefix": "203.0.113.78/32"}})
    admin = gateway.client("admin", "admin")

    until(lambda: all(job["state"] == "done" for job in admin.ok("GET", "/jobs?kind=security_group")["jobs"]
                      if job["resource_id"] == victim.group), 120)
    assert cloud[victim.away].network.shelf("security-groups")[forged] == before
    assert not any(row["security_group_id"] == forged and row["remote_ip_prefix"]
                   for row in cloud[victim.away].network.shelf("security-group-rules").values())
    assert forged not in str(gateway.store()["replicas"])


def test_forged_rules_are_rules_of_their_owner(cloud, gateway, victim, thief):
    """Rules for members elsewhere are Tricircle's by their project, not by what they say."""
    group = thief.make("security-groups", name="g")["id"]
    pod = next(pod.name for pod in cloud if group in pod.network.shelf("security-groups"))
    body = {"security_group_id": group, "direction": "ingress", "protocol": "udp", "ethertype": "IPv4",
            "remote_ip_prefix": "10.9.9.9/32"}
    with victim.untouched():
        forged = thief.at(pod).ok("POST", "/security-group-rules", {"security_group_rule": {
            **body, "description": f"{MARK}member:Pod1"}})["security_group_rule"]["id"]
        assert forged in thief.listed("security-group-rules")
        shown = thief.network.ok("GET", f"/security-groups/{group}")["security_group"]["security_group_rules"]
        assert forged in [rule["id"] for rule in shown]
        assert thief.network.post("/security-group-rules", {"security_group_rule": body}).status == 409
        assert forged in cloud[pod].network.shelf("security-group-rules"), "his own rule does not give way"


# Lists

@pytest.mark.parametrize(("collection", "fields"), [
    ("networks", {}), ("routers", {}), ("security-groups", {}),
    ("subnetpools", {"prefixes": ["10.77.0.0/16"]}), ("address-scopes", {"ip_version": 4})])
def test_what_merely_carries_a_mark_is_an_ordinary_thing(gateway, victim, thief, collection, fields):
    given = {"prefixes": ["10.78.0.0/16"]} if collection == "subnetpools" else fields
    wanted = victim.make(collection, **{"name": "a", **given})["id"]
    pod = next(pod.name for pod in gateway.cloud if wanted not in pod.network.shelf(collection))
    with victim.untouched():
        forged = thief.forge(pod, collection, wanted, **fields)
        for query in ("", "?fields=id", f"?id={forged}", "?limit=50"):
            assert thief.listed(collection, query=query).count(forged) == 1, query
        admin = User(gateway, "admin")
        found = [row["id"] for row in admin.network.ok("GET", f"/{collection}")[collection.replace("-", "_")]]
        assert {forged, wanted} <= set(found)
        assert thief.network.get(f"/{collection}/{forged}").status == 200
        assert victim.network.get(f"/{collection}/{forged}").status == 404
        assert thief.network.delete(f"/{collection}/{forged}").status == 204


def test_a_bridge_belongs_to_tricircles_project(gateway, victim, thief):
    with victim.untouched():
        network = thief.forge("Pod1", "networks", f"bridge:{victim.project}")
        router = thief.forge("Pod2", "routers", f"bridge:{victim.router}")
        assert network in thief.listed("networks")
        assert thief.network.get(f"/routers/{router}").status == 200
        assert thief.network.delete(f"/networks/{network}").status == 204


def test_a_server_group_is_put_together_with_none_of_another_project(gateway, victim, thief):
    group = victim.compute.ok("POST", "/os-server-groups", {"server_group": {
        "name": "spread", "policies": ["anti-affinity"]}})["server_group"]["id"]
    home = next(pod.name for pod in gateway.cloud if group in pod.compute.shelf("server_groups"))
    pod = {"Pod1": "Pod2", "Pod2": "Pod1"}[home]
    forged = thief.at(pod, "compute").ok("POST", "/os-server-groups", {"server_group": {
        "name": MARK + group, "policy": "anti-affinity"}})["server_group"]["id"]
    server = thief.boot(thief.net(zone(pod)), zone(pod))
    gateway.cloud[pod].compute.shelf("server_groups")[forged]["members"] = [server]
    admin = User(gateway, "admin")
    for version in ("2.1", "2.64"):
        headers = {"X-OpenStack-Nova-API-Version": version}
        found = admin.compute.ok("GET", "/os-server-groups?all_projects=True", headers=headers)["server_groups"]
        members = {row["id"]: row["members"] for row in found}
        assert (members[group], members[forged]) == ([], [server]), version
    assert thief.listed("os-server-groups", "compute") == [forged]
    assert thief.compute.get(f"/os-server-groups/{forged}").status == 200
    assert thief.compute.get(f"/os-server-groups/{group}").status == 404
    assert victim.compute.ok("GET", f"/os-server-groups/{group}")["server_group"]["members"] == []


@pytest.mark.parametrize("version", ["2.1", "2.12", "2.13", "2.64"])
def test_a_server_groups_replica_that_the_store_has_lost_is_no_group(gateway, version):
    """Before 2.13 Nova does not say whose a group is."""
    victim, admin = Victim(gateway), User(gateway, "admin")
    headers = {"X-OpenStack-Nova-API-Version": version}
    group = victim.compute.ok("POST", "/os-server-groups", {"server_group": {
        "name": "spread", "policies": ["anti-affinity"]}})["server_group"]["id"]
    home = next(pod.name for pod in gateway.cloud if group in pod.compute.shelf("server_groups"))
    pod = {"Pod1": "Pod2", "Pod2": "Pod1"}[home]
    body = {"name": "vm", "imageRef": IMAGE, "flavorRef": flavor(gateway), "networks": "none",
            "availability_zone": zone(pod)}
    server = victim.compute.ok("POST", "/servers", {"server": body, "os:scheduler_hints": {"group": group}},
                               headers={"X-OpenStack-Nova-API-Version": "2.37"})["server"]["id"]
    local = victim.local(group)
    with sqlite3.connect(gateway.folder / "state" / "tricircle.sqlite", timeout=10) as db:
        assert db.execute("DELETE FROM replicas WHERE local_id = ?", (local,)).rowcount == 1
    found = admin.compute.ok("GET", "/os-server-groups?all_projects=True", headers=headers)["server_groups"]
    members = {row["id"]: row["members"] for row in found}
    assert (members[group], local in members) == ([server], False)
    assert victim.listed("os-server-groups", "compute") == [group]
    for who in (victim, admin):
        assert who.compute.get(f"/os-server-groups/{local}", headers=headers).status == 404
        assert who.compute.delete(f"/os-server-groups/{local}", headers=headers).status == 404


# Usage

def test_a_mark_hides_nothing_from_the_quota(gateway, thief):
    def used():
        shown = thief.network.ok("GET", f"/quotas/{thief.project}/details.json")["quota"]
        return {name: shown[name]["used"] for name in ("security_group", "router", "subnetpool")}

    before = used()
    own = {kind: thief.make(kind, name="own", **more)["id"] for kind, more in (
        ("security-groups", {}), ("routers", {}), ("subnetpools", {"prefixes": ["10.79.0.0/16"]}))}
    home = next(pod.name for pod in gateway.cloud if own["routers"] in pod.network.shelf("routers"))
    away = {"Pod1": "Pod2", "Pod2": "Pod1"}[home]
    for kind, more in (("security-groups", {}), ("routers", {}), ("subnetpools", {"prefixes": ["10.80.0.0/16"]})):
        for mark in (str(uuid.uuid4()), IMAGE, "bridge:x", own[kind], own[kind]):
            thief.forge(away, kind, mark, **more)
    after = used()
    assert {name: after[name] - before[name] for name in after} == {
        "security_group": 5, "router": 5, "subnetpool": 5}, "of each one may be taken for the replica of his own"


# Routers

def test_a_marked_interface_is_an_interface(gateway, victim, thief):
    network, subnet = thief.wired("az1")
    router = thief.make("routers", name="r", availability_zone_hints=["az1"])["id"]
    with victim.untouched():
        port = thief.forge("Pod1", "ports", f"bridge:{victim.router}", network_id=network)
        thief.network.ok("PUT", f"/routers/{router}/add_router_interface", {"port_id": port})
        assert thief.network.delete(f"/routers/{router}").status == 409
        cidr = thief.network.ok("GET", f"/subnets/{subnet}")["subnet"]["cidr"]
        other = thief.net("az2")
        clash = thief.subnet(other, cidr)
        answer = thief.network.put(f"/routers/{router}/add_router_interface", {"subnet_id": clash})
        assert answer.status == 400, answer.raw


def test_a_forged_router_is_not_taken_for_anothers(gateway, victim, thief):
    own = victim.local(victim.router)
    forged = thief.forge(victim.away, "routers", victim.router)
    _, subnet = victim.wired(zone(victim.away))
    victim.network.ok("PUT", f"/routers/{victim.router}/add_router_interface", {"subnet_id": subnet})
    assert victim.local(victim.router) == own
    assert thief.network.get(f"/routers/{forged}").status == 200


# What is gone

@pytest.mark.parametrize("kind", ["security-groups", "routers", "subnetpools", "os-server-groups"])
def test_a_replica_that_is_gone_is_made_again(cloud, gateway, kind):
    victim = Victim(gateway)
    service = cloud[victim.away].compute if kind == "os-server-groups" else cloud[victim.away].network
    home = {"security-groups": victim.group, "routers": victim.router}.get(kind)
    if kind == "subnetpools":
        home = victim.make("subnetpools", name="p", prefixes=["10.81.0.0/16"], default_prefixlen=24)["id"]
        there = next(pod.name for pod in cloud if home in pod.network.shelf("subnetpools"))
        victim.away = {"Pod1": "Pod2", "Pod2": "Pod1"}[there]
        service = cloud[victim.away].network
    if kind == "os-server-groups":
        home = victim.compute.ok("POST", "/os-server-groups", {"server_group": {
            "name": "g", "policies": ["anti-affinity"]}})["server_group"]["id"]

    def use():
        if kind == "security-groups":
            victim.port(victim.away, security_groups=[home])
        if kind == "routers":
            _, subnet = victim.wired(zone(victim.away))
            victim.network.ok("PUT", f"/routers/{home}/add_router_interface", {"subnet_id": subnet})
        if kind == "subnetpools":
            victim.make("subnets", network_id=victim.net(zone(victim.away)), ip_version=4, subnetpool_id=home)
        if kind == "os-server-groups":
            body = {"name": "vm", "imageRef": IMAGE, "flavorRef": "tiny", "networks": "none",
                    "availability_zone": zone(victim.away)}
            victim.compute.ok("POST", "/servers", {"server": body, "os:scheduler_hints": {"group": home}},
                              headers={"X-OpenStack-Nova-API-Version": "2.37"})

    use()
    gone = victim.local(home)
    del service.shelf("server_groups" if kind == "os-server-groups" else kind)[gone]
    if kind == "security-groups":
        for port in service.shelf("ports").values():
            port["security_groups"] = [each for each in port["security_groups"] if each != gone]
    use()
    assert victim.local(home) not in (None, gone)


# Shadows of ports

def test_a_marked_port_on_a_shadow_takes_no_shadow_of_others_along(cloud, gateway, external):
    a, b = Case(gateway, external()), Case(gateway, external())
    b.user = Tenant(gateway, b.user.token)
    a.floating(port_id=a.ports["Pod1"]["id"])
    first = b.user.make("ports", network_id=b.nets["Pod1"])
    b.floating(port_id=first["id"])
    pod2 = gateway.pods["Pod2"]["pod_id"]

    def row():
        return [each for each in gateway.store()["replicas"] if each[:2] == (a.ports["Pod1"]["id"], pod2)]

    before, shadow = row(), next(each[4] for each in gateway.store()["replicas"] if each[0] == b.nets["Pod1"])
    target = b.ports["Pod1"]
    address = target["fixed_ips"][0]["ip_address"]
    subnet = next(each[4] for each in gateway.store()["replicas"] if each[0] == b.subnets["Pod1"])
    b.user.forge("Pod2", "ports", a.ports["Pod1"]["id"], network_id=shadow,
                 fixed_ips=[{"subnet_id": subnet, "ip_address": address}])
    b.floating(port_id=target["id"])
    assert row() == before != []
    assert before[0][4] in cloud["Pod2"].network.shelf("ports")
