"""A real cloud: RegionOne beside the pods themselves, in turn. `python -m tests.bench lab [--records N] [--rounds N]`.

It needs an administrator's OS_* (`source .lab/admin-openrc.sh`), and makes a project of its own, which it removes with
all that it holds. Nothing of it costs a hypervisor or a disk anything: servers and volumes are too large for any, so
that they stay in the state of an error; their APIs do the same work.
"""
import argparse
import contextlib
import itertools
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from tests.bench.world import listens, start_process
from tests.functional.client import Client
from tests.functional.gateway import ROOTS, until
from tests.functional.standin.ports import free_port

RELAY = "a bare forwarder"
TOP = os.environ.get("OS_REGION_NAME") or "RegionOne"
TYPES = {"compute": ("compute",), "volume": ("block-storage", "volumev3"), "network": ("network",)}
QUOTAS = {"compute": ("os-quota-sets", "quota_set", ("instances", "cores", "ram")),
          "volume": ("os-quota-sets", "quota_set", ("volumes", "gigabytes", "per_volume_gigabytes")),
          "network": ("quotas", "quota", ("network", "port"))}
GOALS = {"one pod": 1.05, "merged": 1.10}
# The first with servers that have no network. Cinder answers 400 where the header names other services only.
HEADERS = {"compute": {"OpenStack-API-Version": "compute 2.37"}}
HUGE = {"ram": 1 << 30, "vcpus": 1, "disk": 1}
HUGE_GIB = 1 << 20
PATIENCE = 300
UNDER_WAY = {"BUILD", "creating", "deleting"}
NUMBERS = itertools.count()
Sides = dict[str, dict[str, Client]]   # {region: {service: client}}


@dataclass
class Pod:
    """What is used of a pod.

    Args:
        name: region.
        zone: the user's name for it.
        network: id of the project's network there, once it has one.
    """

    name: str
    zone: str
    network: str = ""


def _network(zone: str) -> dict[str, Any]:
    return {"network": {"name": "bench", "availability_zone_hints": [zone]}}


@dataclass
class Bench:
    """What is measured.

    Args:
        sides: the project's clients.
        boss: an administrator's clients of the top region.
        project: its id.
        image: any one.
        flavor: one that no hypervisor has room for.
    """

    sides: Sides
    boss: dict[str, Client]
    project: str
    image: str
    flavor: str
    pods: list[Pod] = field(default_factory=list)

    @contextlib.contextmanager
    def relayed(self) -> Iterator[None]:
        """Put a bare forwarder in front of each service of the first pod: what a hop costs on this machine."""
        with contextlib.ExitStack() as stack:
            self.sides[RELAY] = {service: stack.enter_context(_relay(client))
                                 for service, client in self.sides[self.pods[0].name].items()}
            yield

    def find_pods(self) -> None:
        """Find two pods: an administrator's network is made in each zone, and the answer tells where."""
        zones = self.sides[TOP]["compute"].ok("GET", "/os-availability-zone")["availabilityZoneInfo"]
        for zone in sorted(zone["zoneName"] for zone in zones if zone["zoneState"]["available"]):
            answer = self.boss["network"].post("/networks", _network(zone))
            if answer.status == 201:
                self.pods.append(Pod(answer.headers["X-Tricircle-Pod"], zone))
                self.boss["network"].call("DELETE", f"/networks/{answer['network']['id']}")
        self.pods = list({pod.name: pod for pod in self.pods}.values())[:2]
        assert len(self.pods) == 2, "two pods in different zones are needed"

    def enter(self, pod: Pod) -> None:
        """Give the project its first thing in a pod: a network."""
        pod.network = self.sides[TOP]["network"].ok("POST", "/networks", _network(pod.zone))["network"]["id"]

    def lift_quotas(self) -> None:
        """No limits for the project."""
        for service, (collection, member, names) in QUOTAS.items():
            self.boss[service].ok("PUT", f"/{collection}/{self.project}", {member: dict.fromkeys(names, -1)})

    def remove(self) -> None:
        """All that the project has; Nova and Cinder take their time."""
        top = self.sides[TOP]
        for kind in KINDS:
            for record in kind.all(top):
                top[kind.service].call("DELETE", f"/{kind.collection}/{record['id']}")
            until(lambda kind=kind: not kind.all(top), PATIENCE, 0.5)
        for network in top["network"].ok("GET", "/networks?project_id=" + self.project)["networks"]:
            top["network"].call("DELETE", f"/networks/{network['id']}")
        for service, (collection, *_) in QUOTAS.items():
            self.boss[service].call("DELETE", f"/{collection}/{self.project}")
        for group in self.boss["network"].ok("GET", f"/security-groups?project_id={self.project}")["security_groups"]:
            self.boss["network"].call("DELETE", f"/security-groups/{group['id']}")


@dataclass(frozen=True)
class Kind:
    """One collection.

    Args:
        service, collection: whose.
        fields: of a new one.
        detail: what follows the collection for whole records.
        everywhere: a list asks all pods, whatever the project has.
    """

    service: str
    collection: str
    fields: Callable[[Bench, Pod], dict[str, Any]]
    detail: str = "/detail"
    everywhere: bool = False

    def body(self, bench: Bench, pod: Pod, region: str) -> dict[str, Any]:
        """For a create; only the big region is told the zone."""
        zone = {"availability_zone": pod.zone} if region == TOP and not self.everywhere else {}
        name = f"bench{next(NUMBERS)}"
        return {self.collection.rstrip("s"): {"name": name, **self.fields(bench, pod), **zone}}

    def all(self, side: dict[str, Client]) -> list[dict]:
        """Whatever the project has."""
        return side[self.service].ok("GET", f"/{self.collection}{self.detail}")[self.collection]

    def settled(self, side: dict[str, Client]) -> bool:
        """Nothing is under way any more."""
        return not any(record.get("status") in UNDER_WAY for record in self.all(side))


KINDS = (
    Kind("compute", "servers", lambda bench, _: {"imageRef": bench.image, "flavorRef": bench.flavor,
                                                 "networks": "none"}),
    Kind("network", "ports", lambda _, pod: {"network_id": pod.network}, detail="", everywhere=True),
    Kind("volume", "volumes", lambda *_: {"size": HUGE_GIB}),
)


def one_pod(bench: Bench, kind: Kind, records: int, rounds: int) -> list[tuple[str, ...]]:
    """Measure a project that has things in one pod only; rows of the table."""
    first, made = bench.pods[0], []

    def create(region: str) -> None:
        made.append(_create(bench, kind, region, first))

    rows = [_row(kind, "create", "one pod", first.name,
                 paired(rounds, lambda: create(TOP), lambda: create(first.name)))]
    _fill(bench, kind, first, records - len(made))
    each = [_get(bench, kind, region, f"/{made[0]}") for region in (TOP, first.name, RELAY)]
    rows.append(_row(kind, "show", "one pod", first.name, paired(rounds, *each)))
    if not kind.everywhere:
        each = [_get(bench, kind, region, f"{kind.detail}?limit={records}") for region in (TOP, first.name, RELAY)]
        rows.append(_row(kind, f"list of {records}", "one pod", first.name, paired(rounds, *each)))
    return rows


def both_pods(bench: Bench, kind: Kind, records: int, rounds: int) -> list[tuple[str, ...]]:
    """Measure the same project with things in the second pod, too; rows of the table."""
    first, second = bench.pods
    _fill(bench, kind, second, records)
    page = f"{kind.detail}?limit={records}"
    with ThreadPoolExecutor(2) as pool:
        direct = [_get(bench, kind, pod.name, page) for pod in bench.pods]
        found = paired(rounds, _get(bench, kind, TOP, page), lambda: list(pool.map(lambda call: call(), direct)))
    created = paired(rounds, lambda: _create(bench, kind, TOP, first), lambda: _create(bench, kind, first.name, first))
    return [_row(kind, f"list of {records} over both pods", "merged", "the slower pod, both asked at once", found),
            _row(kind, "create, both pods asked about the quota", "", first.name, created)]


def _create(bench: Bench, kind: Kind, region: str, pod: Pod) -> str:
    body, headers = kind.body(bench, pod, region), HEADERS.get(kind.service)
    made = bench.sides[region][kind.service].ok("POST", f"/{kind.collection}", body, headers=headers)
    return next(iter(made.values()))["id"]


def _get(bench: Bench, kind: Kind, region: str, path: str) -> Callable[[], Any]:
    client, headers = bench.sides[region][kind.service], HEADERS.get(kind.service)
    return lambda: client.ok("GET", f"/{kind.collection}{path}", headers=headers)


def _fill(bench: Bench, kind: Kind, pod: Pod, number: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _create(bench, kind, TOP, pod), range(max(0, number))))
    until(lambda: kind.settled(bench.sides[TOP]), PATIENCE, 0.5)


def paired(rounds: int, *calls: Callable[[], Any]) -> list[float]:
    """Median milliseconds of each; they take turns in beginning a round, and the first round does not count."""
    took: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + 1):
        for place in sorted(range(len(calls)), reverse=number % 2 == 1):
            began = time.perf_counter()
            calls[place]()
            took[place].append((time.perf_counter() - began) * 1000)
    return [median(each[1:]) for each in took]


def _row(kind: Kind, verb: str, goal: str, beside: str, found: list[float]) -> tuple[str, ...]:
    through, direct, *relayed = found
    wanted = f" (goal {GOALS[goal]:.2f})" if goal else ""
    relay_text = "".join(f"; {RELAY} {took:.1f} ms, {took / direct:.2f}" for took in relayed)
    return (f"lab: {kind.collection}", verb, f"{through:.1f} ms", f"{beside} {direct:.1f} ms{relay_text}",
            f"{through / direct:.2f}{wanted}")


def rows(words: list[str]) -> Iterator[tuple[str, ...]]:
    """Rows of the table, one kind after the other.

    Args:
        words: of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.bench lab", description=__doc__)
    parser.add_argument("--records", type=int, default=100, help="in each pod, and on a page")
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args(words)
    with _project() as bench:
        yield from run(bench, args.records, args.rounds)


def run(bench: Bench, records: int, rounds: int) -> Iterator[tuple[str, ...]]:
    """See above; whatever was made is removed."""
    try:
        bench.lift_quotas()
        bench.find_pods()
        with bench.relayed():
            for pod, measure in zip(bench.pods, (one_pod, both_pods), strict=True):
                bench.enter(pod)
                for kind in KINDS:
                    yield from measure(bench, kind, records, rounds)
    finally:
        bench.remove()


@contextlib.contextmanager
def _relay(client: Client) -> Iterator[Client]:
    """Start a forwarder to where a client calls; yields a client of that."""
    place, port = urlsplit(client.url), free_port()
    root = f"http://127.0.0.1:{port}"
    process = start_process(sys.executable, "-m", "tests.bench.forwarder", str(port),
                            f"{place.scheme}://{place.netloc}", "1", "16")
    try:
        until(lambda: listens(port))
        yield Client(root + place.path, client.token)
    finally:
        os.killpg(process.pid, signal.SIGKILL)   # its child, too
        process.wait()


@contextlib.contextmanager
def _project() -> Iterator[Bench]:
    """A new project, its user and a flavor."""
    url, name = os.environ["OS_AUTH_URL"], f"bench-{secrets.token_hex(4)}"
    admin = Session(v3.Password(url, username=os.environ["OS_USERNAME"], password=os.environ["OS_PASSWORD"],
                                project_name=os.environ["OS_PROJECT_NAME"], user_domain_name="Default",
                                project_domain_name="Default"))
    keystone, password = Client(url, admin.get_token()), secrets.token_hex(16)
    boss = _clients(admin, TOP)
    with contextlib.ExitStack() as stack:
        def make(client: Client, collection: str, member: str, body: dict) -> str:
            made = client.ok("POST", f"/{collection}", {member: body})[member]["id"]
            stack.callback(client.call, "DELETE", f"/{collection}/{made}")
            return made

        project = make(keystone, "projects", "project", {"name": name, "domain_id": "default"})
        user = make(keystone, "users", "user", {"name": name, "domain_id": "default", "password": password})
        role = keystone.ok("GET", "/roles?name=member")["roles"][0]["id"]
        keystone.ok("PUT", f"/projects/{project}/users/{user}/roles/{role}")
        flavor = make(boss["compute"], "flavors", "flavor", {"name": name, **HUGE})
        images = Client(admin.get_endpoint(service_type="image", interface="public"), admin.get_token())
        image = images.ok("GET", "/v2/images?limit=1&sort=size")["images"][0]["id"]
        session = Session(v3.Password(url, user_id=user, password=password, project_id=project))
        regions = {each["region_id"] for service in keystone.ok("GET", "/auth/catalog")["catalog"]
                   if service["type"] == "network" for each in service["endpoints"]}
        yield Bench({region: _clients(session, region) for region in regions}, boss, project, image, flavor)


def _clients(session: Session, region: str) -> dict[str, Client]:
    """{service: client} of a region."""
    found = {}
    for service, types in TYPES.items():
        url = next(filter(None, (session.get_endpoint(service_type=each, region_name=region, interface="public")
                                 for each in types)))
        root = url.split("/v2.1")[0].split("/v3")[0].split("/v2.0")[0].rstrip("/")
        project = f"/{session.get_project_id()}" if service == "volume" else ""
        found[service] = Client(f"{root}{ROOTS[service]}{project}", session.get_token())
    return found
