"""Two projects in the lab: A, whose estate is in both pods, and B, who tries to harm A; what A has, what pods hold."""
import contextlib
import http.client
import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import openstack
from tests.functional.client import Answer, Client
from tests.functional.gateway import until
from tests.functional.raw import RawClient
from tests.lab import project

TOP, PODS = "RegionOne", ("Pod1", "Pod2")
KINDS = {"compute": "compute", "volume": "volumev3", "network": "network", "admin": "Cascading"}
SECONDS = 10   # an answer that takes longer is none
PATIENCE = 40  # seconds, for what Cinder makes or deletes
# What pods hold, by service and list. Of Neutron's own default groups only B's could come; B has them from the start.
# Rules come by themselves where a group has members in several pods; A's are in A's view.
CENSUS = (("network", "networks"), ("network", "subnets"), ("network", "ports"), ("network", "routers"),
          ("network", "security-groups"), ("network", "rbac-policies"), ("network", "subnetpools"),
          ("network", "address-scopes"),
          ("compute", "servers"), ("compute", "os-server-groups"), ("compute", "flavors"), ("volume", "volumes"))
ALL = {"servers": "?all_tenants=1", "os-server-groups": "?all_projects=1", "flavors": "?is_public=None",
       "volumes": "?all_tenants=1"}
MORE = (("compute", "/limits"), ("compute", "/os-keypairs"), ("volume", "/limits"))   # lists that A sees, too
# What changes by itself, or by a PUT of what is there already.
RESTLESS = ("updated_at", "revision_number")


class Broken(Exception):
    """An attack that has come through; its text is what was seen."""


class Loud(RawClient):
    """A client whose every call is kept: what was sent in one string, and the answer, which knows `what` was asked."""

    def __init__(self, url: str, token: str | None, said: list):
        super().__init__(url, token, SECONDS)
        self.said = said

    def call(self, method: str, path: str, body=None, headers=None, raw=None) -> Answer:
        """As RawClient's; no answer is Broken."""
        try:
            answer = super().call(method, path, body, headers, raw)
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"{method} {path[:60]}: no answer, {error!r}") from error
        answer.what = f"{method} {path[:80]}"
        self.said.append((f"{path} {json.dumps(body)} {raw} {headers}", answer))
        return answer


class Party:
    """Somebody's clients.

    Args:
        cloud: connection of the SDK, for endpoints.
        token: id, or None for nobody.
        said: see Loud; None for those who attack nobody.

    Attributes:
        compute, volume, network, admin: clients of the big region.
        pods: {name: {service: client}}.
    """

    def __init__(self, cloud, token: str | None, said: list | None = None):
        self.token, self.project = token, cloud.current_project_id
        self.user = cloud.current_user_id
        self._said = said
        places = {place: self._clients(cloud, place) for place in (TOP, *PODS)}
        self.compute, self.volume, self.network, self.admin = (places[TOP][kind] for kind in KINDS)
        self.pods = {name: places[name] for name in PODS}

    def _clients(self, cloud, place: str) -> dict[str, Client]:
        roots = {}
        for service, kind in KINDS.items():
            if service == "admin" and place != TOP:
                continue
            url = cloud.session.get_endpoint(service_type=kind, region_name=place, interface="public")
            roots[service] = self.client(url.rstrip("/") + ("/v2.0" if service == "network" else ""))
        return roots

    def client(self, url: str) -> Client:
        """A client of a root; without a path in it, of a whole port."""
        return Client(url, self.token, 60) if self._said is None else Loud(url, self.token, self._said)

    def port_of(self, service: str) -> Client:
        """A client of one of the big region's ports, whose paths are whole targets."""
        return self.client("/".join(getattr(self, service).url.split("/")[:3]))


class Scene:
    """Everybody, and A's estate.

    Attributes:
        a, b, nobody, boss: parties; boss is the administrator.
        things: {name: (service, collection, member key, id)} of A's.
        secret: what nobody but A may be told.
        said: calls of B and of nobody in this attack.
        made: (client, path) of what this attack has made on purpose, deleted after it.
        seen: what this attack has found broken.
    """

    def __init__(self):
        self.said, self.made, self.seen, self.secret = [], [], [], []
        self.cloud = openstack.connect()
        self.boss = Party(self.cloud, self.cloud.auth_token)

    def enter(self) -> None:
        """Make both projects, and A's estate."""
        self.a_cloud, self.b_cloud = (project.make(self.cloud, name) for name in ("attacks-a", "attacks-b"))
        self.a = Party(self.a_cloud, self.a_cloud.auth_token)
        self.b = Party(self.b_cloud, self.b_cloud.auth_token, self.said)
        self.nobody = Party(self.b_cloud, None, self.said)

    def check(self, sound: bool, words: str) -> None:
        """Note what is broken, and go on."""
        if not sound:
            self.seen.append(words)

    def fire(self, calls: list[tuple]) -> list[Answer]:
        """Several calls at once, each as (client, the arguments of its `call`); their answers, in order."""
        with ThreadPoolExecutor(6) as pool:
            return list(pool.map(lambda call: call[0].call(*call[1:]), calls))

    def refused(self, *answers: Answer) -> None:
        """Note what is no 4xx."""
        for answer in answers:
            self.check(400 <= answer.status < 500, f"{answer.what}: {answer.status} {answer.raw[:160]!r}")

    def keep(self, client: Client, collection: str, answer: Answer) -> dict:
        """The record that a POST has made, to be deleted after the attack.

        Raises:
            Broken: the attacker could not even begin.
        """
        if answer.status >= 300:
            raise Broken(f"not tried: POST {collection} gave {answer.status} {answer.raw[:200]!r}")
        record = next(iter(answer.body.values()))
        self.made.append((client, f"/{collection}/{record['id']}"))
        return record

    def make(self, client: Client, collection: str, **fields) -> dict:
        """POST to one of Neutron's collections, and keep what came."""
        member = "policy" if collection.endswith("policies") else collection.replace("-", "_").rstrip("s")
        return self.keep(client, collection, client.post(f"/{collection}", {member: fields}))

    def tidy(self) -> None:
        """Delete what the attack has made on purpose."""
        while self.made:
            client, path = self.made.pop()
            with contextlib.suppress(Broken, AssertionError):   # the census tells
                # 400: a volume that is being made.
                until(lambda c=client, p=path: c.delete(p).status != 400, PATIENCE, 0.5)

    def census(self) -> set[tuple[str, str, str, str]]:
        """(pod, service, collection, id) of all that the pods hold, asked of each directly."""
        def ask(place: tuple[str, str, str]) -> set:
            pod, service, collection = place
            answer = self.boss.pods[pod][service].get(f"/{collection}{ALL.get(collection, '?fields=id')}")
            rows = next(rows for rows in answer.body.values() if isinstance(rows, list))
            return {(*place, row["id"]) for row in rows}
        with ThreadPoolExecutor(6) as pool:
            return set().union(*pool.map(ask, [(pod, *kind) for pod in PODS for kind in CENSUS]))

    def view(self) -> dict[str, tuple]:
        """What A sees and can do: {call: (status, body, unreachable pods)}."""
        calls = [("PUT", *thing, self._fields(name)) for name, thing in self.things.items()
                 if thing[1] != "os-server-groups"]
        lists = {(service, f"/{collection}") for service, collection, _, _ in self.things.values()}
        looks = [*sorted(lists), *MORE, ("network", f"/quotas/{self.a.project}"),
                 ("compute", f"/os-server-groups/{self.things['sgroup'][3]}"),
                 ("network", f"/ports/{self.things['port-az2'][3]}")]
        with ThreadPoolExecutor(6) as pool:
            used = list(pool.map(lambda call: self._call(call[1], "PUT", f"/{call[2]}/{call[4]}", {call[3]: call[5]}),
                                 calls))
            return dict([*used, *pool.map(lambda look: self._call(look[0], "GET", look[1]), looks)])

    def _fields(self, name: str) -> dict:
        """What is so already; a port's groups go through the map of what is called otherwise in its pod."""
        return {"security_groups": [self.things["group"][3]]} if "port" in name else {"name": self.names[name]}

    def _call(self, service: str, method: str, path: str, body: dict | None = None) -> tuple[str, tuple]:
        answer = getattr(self.a, service).call(method, path, body)
        missing = answer.headers.get("X-Tricircle-Unreachable-Pods", "")
        shown = calm(answer.body) if answer.status == 200 else answer.raw[:100]
        return f"{method} {path}", (answer.status, shown, missing)

    def leave(self) -> None:
        """Remove all of it, and what an aborted run has left."""
        for volume in list(self.cloud.block_storage.volumes(all_projects=True)):
            if volume.name.startswith("attacks-"):
                self.cloud.block_storage.delete_volume(volume)
        with ThreadPoolExecutor(2) as pool:
            projects = set(pool.map(self._remove, ("attacks-a", "attacks-b")))
        for pod in PODS:
            self._sweep(self.boss.pods[pod]["network"], projects)
        image = self.cloud.image.find_image("attacks")
        flavor = self.cloud.compute.find_flavor("attacks")
        if image:
            self.cloud.image.delete_image(image)
        if flavor:
            self.cloud.compute.delete_flavor(flavor)

    def _remove(self, name: str) -> str | None:
        """A project with what it shows in the big region; its id."""
        cloud = openstack.connect()
        found = cloud.identity.find_project(name)
        for group in cloud.compute.server_groups(all_projects=True) if found else ():
            if group.project_id == found.id:
                cloud.compute.delete_server_group(group)
        project.remove(cloud, name, "attacks-none")
        return found.id if found else None

    def _sweep(self, network: Client, projects: set[str | None]) -> None:
        """Straight at a pod: what an attack that came through has hidden from its owner, and Neutron's own groups."""
        for each in network.ok("GET", "/networks?fields=id&fields=name")["networks"]:
            if each["name"].startswith("attacks-"):
                for port in network.ok("GET", f"/ports?network_id={each['id']}&fields=id")["ports"]:
                    network.delete(f"/ports/{port['id']}")
                network.delete(f"/networks/{each['id']}")
        for each in network.ok("GET", "/security-groups?fields=id&fields=project_id")["security_groups"]:
            if each["project_id"] in projects:
                network.delete(f"/security-groups/{each['id']}")


def calm(document):
    """A document without what changes by itself; lists in an order of their own."""
    if isinstance(document, dict):
        return {key: calm(value) for key, value in document.items() if key not in RESTLESS}
    if isinstance(document, list):
        return sorted(map(calm, document), key=lambda value: json.dumps(value, sort_keys=True))
    return document


def settle(scene: Scene) -> None:
    """Build A's estate: networks, ports and volumes in both pods, a group with a replica, a router over the pods.

    B gets a network in Pod1, a keypair is nobody's business, and both get what Neutron gives to newcomers.
    """
    tag = secrets.token_hex(4)
    a, scene.things, scene.names = scene.a, {}, {}

    def make(name: str, service: str, collection: str, member: str, **fields) -> str:
        scene.names[name] = fields["name"] = f"attacks-{name}-{tag}"
        made = getattr(a, service).ok("POST", f"/{collection}", {member: fields})[member]["id"]
        scene.things[name] = service, collection, member, made
        return made

    for pod in PODS:
        for party in (a, scene.b):
            party.pods[pod]["network"].get("/security-groups")
    nets = {zone: make(f"net-{zone}", "network", "networks", "network", availability_zone_hints=[zone])
            for zone in ("az2", "az1")}   # the first binds the project's default pod, where its group is at home
    cidrs = {"az1": "10.213.1.0/24", "az2": "10.213.2.0/24"}
    subnets = {zone: make(f"subnet-{zone}", "network", "subnets", "subnet", network_id=net, ip_version=4,
                          cidr=cidrs[zone], enable_dhcp=False) for zone, net in nets.items()}
    group = make("group", "network", "security-groups", "security_group")
    scene.rule = a.network.ok("POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": 4711,
        "port_range_max": 4711, "remote_ip_prefix": "10.213.9.0/24"}})["security_group_rule"]["id"]
    for zone, net in nets.items():
        make(f"port-{zone}", "network", "ports", "port", network_id=net, security_groups=[group])
    make("sgroup", "compute", "os-server-groups", "server_group", policies=["affinity"])
    for zone in nets:
        make(f"volume-{zone}", "volume", "volumes", "volume", size=1, availability_zone=zone)
    router = make("router", "network", "routers", "router")
    for subnet in subnets.values():
        a.network.ok("PUT", f"/routers/{router}/add_router_interface", {"subnet_id": subnet})
    scene.image = scene.cloud.image.create_image("attacks", visibility="public", container_format="bare",
                                                 disk_format="raw", wait=False).id
    scene.boss.compute.ok("POST", "/flavors", {"flavor": {"name": "attacks", "id": "attacks", "ram": 64, "vcpus": 1,
                                                          "disk": 1}})
    scene.secret = [*scene.names.values(), *cidrs.values(), "10.213.9.0/24", a.user, a.project, scene.rule,
                    *(id for *_, id in scene.things.values())]
    until(lambda: _calm(scene), 60, 0.5)


def _calm(scene: Scene) -> bool:
    """Whether volumes are there, and no job is owed. Others may have left jobs that were cancelled."""
    jobs = scene.boss.admin.get("/jobs").body["jobs"]
    volumes = [scene.a.volume.get(f"/volumes/{id}")["volume"]["status"] for service, _, _, id in scene.things.values()
               if service == "volume"]
    return all(job["state"] not in ("queued", "running") for job in jobs) and set(volumes) == {"available"}


def boot(scene: Scene, **fields) -> dict:
    """A server's body that each pod refuses for its image, which has no bytes: nothing is ever booted."""
    return {"server": {"name": "attacks-vm", "imageRef": scene.image, "flavorRef": "attacks", "networks": "none",
                       **fields}}


NEWER = {"OpenStack-API-Version": "compute 2.37"}


def outside() -> str:
    """Keystone's address."""
    return os.environ["OS_AUTH_URL"]
