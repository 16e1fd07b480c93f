"""A whole cloud on loopback: one Keystone, N pods, and handles for tests."""
import contextlib
import threading
from collections.abc import Callable, Iterator

from tests.functional.standin.cinder import Cinder
from tests.functional.standin.faults import Faults, Stop, Stops
from tests.functional.standin.identity import Identity, Token
from tests.functional.standin.keystone import Keystone
from tests.functional.standin.neutron import Neutron
from tests.functional.standin.nova import Nova
from tests.functional.standin.service import Log, Service, Write
from tests.functional.standin.web import Mount, Request, Response, Server

GATEWAY = {"compute": ("nova", "compute", "/v2.1"), "network": ("neutron", "network", ""),
           "volume": ("cinderv3", "volumev3", "/v3/%(project_id)s"), "admin": ("tricircle", "Cascading", "/v1.0")}


class Pod:
    """One region: `compute`, `volume` and `network`, which know each other.

    Args:
        name: Keystone region.
        identity: shared.
        log: shared log of writes.
        stops: shared held writes.
        keystone_url: for WWW-Authenticate.
        physical: names of the physical networks.
        mount: says of a service's name how it is reached.
    """

    def __init__(self, name: str, identity: Identity, log: Log, stops: Stops, keystone_url: str, physical: list[str],
                 mount: Callable[[str], Mount]):
        self.mount = mount
        self.name, self.identity, self.log, self.stops = name, identity, log, stops
        self.keystone_url, self.physical = keystone_url, physical
        self.lock = threading.RLock()
        self.withdrawn: list[dict] = []
        self.network, self.volume, self.compute = Neutron(self), Cinder(self), Nova(self)
        identity.serve(name, "nova", "compute", f"{self.compute.server.url}/v2.1")
        identity.serve(name, "neutron", "network", self.network.server.url)
        identity.serve(name, "cinderv3", "volumev3", f"{self.volume.server.url}/v3/%(project_id)s")

    @property
    def services(self) -> list[Service]:
        """All three."""
        return [self.compute, self.network, self.volume]

    def refuse(self) -> None:
        """The whole pod refuses connections."""
        for service in self.services:
            service.faults.used = True
            service.server.refuse()

    def deafen(self) -> None:
        """The whole pod takes no notice of who wants to connect, as behind a firewall that drops packets."""
        self.refuse()
        for service in self.services:
            service.server.deafen()

    def withdraw(self) -> None:
        """The pod's region is no more in Keystone's catalogue."""
        self.withdrawn += self.identity.withdraw(self.name)

    def recover(self) -> bool:
        """All faults off, all ports open. Whether there were any since the last time."""
        self.identity.bring_back(self.withdrawn)
        self.withdrawn = []
        used = any(service.faults.used for service in self.services)
        for service in self.services:
            service.faults.clear()
            service.faults.used = False
            service.server.accept()
        return used

    def snapshot(self) -> dict:
        """What the pod has, by service and collection."""
        return {service.name: service.snapshot() for service in self.services}


class Cloud:
    """Keystone and pods.

    Args:
        pods: how many; they are called Pod1, Pod2 ...; the last one has the physical network `extern`.
        ports: the gateway's (admin, compute, volume, network), for RegionOne's part of the catalogue.
        mount: says of a service's name (or `identity`) how it is reached.
    """

    def __init__(self, pods: int = 2, ports: dict[str, int] | None = None,
                 mount: Callable[[str], Mount] = lambda service: Mount()):
        self.identity, self.log, self.stops = Identity(), Log(), Stops()
        self.keystone_calls: list[tuple[str, str]] = []
        keystone = Keystone(self.identity)

        def serve(request: Request) -> Response:
            self.keystone_calls.append((request.method, request.path))
            return keystone.serve(request)

        self.keystone = Server(serve, Faults(), mount("identity"))
        self.identity.serve("RegionOne", "keystone", "identity", f"{self.keystone.url}/v3")
        self.pods: dict[str, Pod] = {}
        for number in range(1, pods + 1):
            physical = ["bridge", "extern"] if number == pods else ["bridge"]
            name = f"Pod{number}"
            self.pods[name] = Pod(name, self.identity, self.log, self.stops, self.keystone.url, physical,
                                  mount)
        for service, (name, kind, path) in GATEWAY.items():
            self.identity.serve("RegionOne", name, kind, f"http://127.0.0.1:{(ports or {}).get(service, 9)}{path}")

    @property
    def auth_url(self) -> str:
        """Keystone, with its version."""
        return f"{self.keystone.url}/v3"

    def __getitem__(self, name: str) -> Pod:
        return self.pods[name]

    def __iter__(self):
        return iter(self.pods.values())

    def token(self, user: str = "admin") -> Token:
        """A fresh token of a standing user."""
        return self.identity.login(user)

    def stop_at_write(self, k: int, when: str = "before", match: str = "") -> Stop:
        """Hold the k-th write call from now on, over all pods; see `Stop`."""
        return self.stops.add(Stop(k, when, match))

    def writes(self, mark: int = 0, done: bool = True) -> list[Write]:
        """Writes since a mark (a former `len(cloud.log)`)."""
        return self.log.since(mark, done)

    def snapshot(self) -> dict:
        """What all the pods have."""
        return {pod.name: pod.snapshot() for pod in self}

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Assert that what is done in the block leaves no trace in any pod."""
        before = self.snapshot()
        yield
        after = self.snapshot()
        assert after == before, difference(before, after)

    def recover(self) -> bool:
        """Every fault off. Whether there were any since the last time."""
        self.stops.clear()
        self.keystone.faults.clear()
        self.keystone.accept()
        used = [pod.recover() for pod in self]
        return any(used)

    def close(self) -> None:
        """Stop all servers."""
        self.recover()
        self.keystone.close()
        for pod in self:
            pod.refuse()


def difference(before, after, at: str = "") -> list[str]:
    """Where two snapshots differ, as lines for a human."""
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [f"{at}: {before!r} -> {after!r}"]
    lines = []
    for key in before.keys() | after.keys():
        lines += difference(before.get(key), after.get(key), f"{at}/{key}")
    return lines
