"""The floor of convergence: a script makes the calls that join a router over pods, in all pods at once.

It runs in a process of its own, with tokens and connections warm: nothing that makes these calls can be faster. Reads
JSON from stdin, `{"token": ..., "pods": [Neutron's URL of each pod], "vlan": ...}`; prints JSON: seconds of the first
router (bridge network, subnet, port, interface, routes) and of a further subnet (one route in every pod but the first).
"""
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.functional.client import Client

BRIDGE_CIDR = "100.127.255.0/24"


class Pod:
    """One pod's part."""

    def __init__(self, number: int, client: Client):
        self.number, self.client, self.router = number, client, ""

    def make(self, collection: str, **body) -> str:
        """Make one; its id."""
        member = collection[:-1]
        return self.client.ok("POST", f"/{collection}", {member: {"name": "direct", **body}})[member]["id"]

    def join(self, what: dict) -> None:
        """An interface of the router."""
        self.client.ok("PUT", f"/routers/{self.router}/add_router_interface", what)

    def routes(self, others: list[tuple[str, str]]) -> None:
        """Routes of the router."""
        routes = [{"destination": to, "nexthop": hop} for to, hop in others]
        self.client.ok("PUT", f"/routers/{self.router}/add_extraroutes", {"router": {"routes": routes}})

    @property
    def route(self) -> tuple[str, str]:
        """How others reach this pod's subnet."""
        return f"10.0.{self.number}.0/24", f"100.127.255.{self.number + 1}"

    def tenant(self) -> None:
        """What is there before: the user's network, and the router with its interface."""
        network = self.make("networks")
        subnet = self.make("subnets", network_id=network, ip_version=4, cidr=self.route[0])
        self.router = self.make("routers")
        self.join({"subnet_id": subnet})

    def bridge(self, vlan: int, pods: list["Pod"]) -> None:
        """What Tricircle does for a router."""
        network = self.make("networks", **{"provider:network_type": "vlan", "provider:physical_network": "bridge",
                                           "provider:segmentation_id": vlan})
        subnet = self.make("subnets", network_id=network, ip_version=4, cidr=BRIDGE_CIDR, enable_dhcp=False,
                           gateway_ip=None)
        port = self.make("ports", network_id=network, security_groups=[],
                         fixed_ips=[{"subnet_id": subnet, "ip_address": self.route[1]}])
        self.join({"port_id": port})
        self.routes([pod.route for pod in pods if pod is not self])


def run(order: dict) -> dict[str, float]:
    """See above."""
    pods = [Pod(number, Client(f"{url}/v2.0", order["token"])) for number, url in enumerate(order["pods"])]
    with ThreadPoolExecutor(len(pods)) as pool:
        def timed(call, chosen: list[Pod]) -> float:
            begun = time.monotonic()
            list(pool.map(call, chosen))
            return time.monotonic() - begun

        timed(Pod.tenant, pods)
        more = [("10.1.0.0/24", pods[0].route[1])]
        return {"first router": timed(lambda pod: pod.bridge(order["vlan"], pods), pods),
                "further subnet": timed(lambda pod: pod.routes(more), pods[1:])}


def measure(order: dict) -> dict[str, float]:
    """Run it in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.direct"], input=json.dumps(order).encode(),
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
