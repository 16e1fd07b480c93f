"""A project with a router over two stand-in pods, as the tests of the worker see it."""
import copy

from tests.functional.gateway import until

PODS = ("Pod1", "Pod2")
PATIENCE = 300   # more than a playbook may take


class Scene:
    """A project of its own with a network in each pod and one router, made through the gateway."""

    def __init__(self, cloud, gateway, name="r"):
        self.cloud, self.gateway, self.token = cloud, gateway, cloud.identity.newcomer()
        self.user = gateway.client("network", self.token)
        self.admin = gateway.client("admin", "admin")
        self.octet = 0
        self._make(name)

    def _make(self, name):
        self.subnets = {}
        for pod in PODS:
            body = {"name": pod, "availability_zone_hints": [f"az{pod[-1]}"]}
            network = self.user.ok("POST", "/networks", {"network": body})["network"]
            body = {"network_id": network["id"], "ip_version": 4, "cidr": self.cidr(pod)}
            self.subnets[pod] = self.user.ok("POST", "/subnets", {"subnet": body})["subnet"]["id"]
        self.router = self.user.ok("POST", "/routers", {"router": {"name": name}})["router"]["id"]

    def sibling(self):
        """A second router of the project, with subnets of its own."""
        other = copy.copy(self)
        other.octet += 10
        other._make("r2")
        return other

    def cidr(self, pod):
        """Of the subnet in a pod."""
        return f"10.0.{self.octet + int(pod[-1])}.0/24"

    def change(self, verb, *pods):
        """add or remove the subnets of pods."""
        for pod in pods or PODS:
            self.user.ok("PUT", f"/routers/{self.router}/{verb}_router_interface", {"subnet_id": self.subnets[pod]})

    def outside(self, info):
        """Give the router an external network, or (None) take it away."""
        self.user.ok("PUT", f"/routers/{self.router}", {"router": {"external_gateway_info": info}})

    def ip(self, pod):
        """The router's bridge address in a pod."""
        return self.bridge(pod)[2][0]["fixed_ips"][0]["ip_address"]

    def jobs(self):
        """Jobs of the router, newest first."""
        return [job for job in self.admin.ok("GET", "/jobs")["jobs"] if job["resource_id"] == self.router]

    def allocations(self):
        """What the store has handed out: [(VLAN, CIDR)] of the project, {(pod id, address)} of the router."""
        store = self.gateway.store()
        return ([(vlan, cidr) for project, vlan, cidr, _ in store["bridges"] if project == self.token.project.id],
                {(pod, ip) for router, pod, _, ip, _ in store["bridge_ips"] if router == self.router})

    def settled(self):
        """No job of the router is owed."""
        return all(job["state"] == "done" for job in self.jobs())

    def settle(self):
        """Wait until no job of the router is owed; a busy machine takes its time."""
        until(self.settled, PATIENCE)

    def failed_job(self):
        """Wait for a job of the router that has failed at least once."""
        return until(lambda: next((job for job in self.jobs() if job["last_error"]), None), PATIENCE)

    def rows(self, pod, kind, mark):
        """What a pod has with a mark."""
        return [row for row in self.cloud[pod].network.shelf(kind).values() if row["description"] == mark]

    def bridge(self, pod):
        """(networks, subnets, ports) of the plumbing in a pod."""
        mark = f"tricircle:bridge:{self.token.project.id}"
        return (self.rows(pod, "networks", mark), self.rows(pod, "subnets", mark),
                self.rows(pod, "ports", f"tricircle:bridge:{self.router}"))

    def routes(self, pod):
        """Routes of the router in a pod."""
        shelf = self.cloud[pod].network.shelf("routers")
        rows = [shelf[self.router]] if self.router in shelf else self.rows(pod, "routers", f"tricircle:{self.router}")
        assert len(rows) == 1
        return [(route["destination"], route["nexthop"]) for route in rows[0]["routes"]]

    def traces(self):
        """{(pod, collection, id)} of all that Neutron has for the project or the router, but the project's groups."""
        return {(pod, kind, row_id) for pod in PODS for kind, rows in self.cloud[pod].network.snapshot().items()
                for row_id, row in rows.items() if not kind.startswith("security-group") and self._is_mine(row)}

    def _is_mine(self, what):
        return self.token.project.id in str(what) or self.router in str(what)

    def plumbing(self, mark):
        """Writes of the worker since a mark that concern the router."""
        local = [row["id"] for pod in PODS for row in self.rows(pod, "routers", f"tricircle:{self.router}")]
        ids = [self.router, self.token.project.id, *local]
        return [write for write in self.cloud.writes(mark)
                if write.who == "tricircle" and any(each in f"{write.path} {write.body}" for each in ids)]

    def assert_built_once(self):
        """Exactly one bridge, one port a pod, one route each way."""
        ips = {}
        for pod in PODS:
            networks, subnets, ports = self.bridge(pod)
            assert (len(networks), len(subnets), len(ports)) == (1, 1, 1), (pod, networks, subnets, ports, self.jobs())
            ips[pod] = ports[0]["fixed_ips"][0]["ip_address"]
            assert ports[0]["device_owner"] == "network:router_interface"
        vlans = {self.bridge(pod)[0][0]["provider:segmentation_id"] for pod in PODS}
        assert len(vlans) == 1
        assert vlans <= set(range(2001, 3001))
        assert self.routes("Pod1") == [(self.cidr("Pod2"), ips["Pod2"])]
        assert self.routes("Pod2") == [(self.cidr("Pod1"), ips["Pod1"])]

    def assert_built_and_goes(self, before):
        """Built once it is; then the subnets go, and with them all that came since `before`, a former `traces()`."""
        self.settle()
        self.assert_built_once()
        self.change("remove")
        self.settle()
        self.assert_gone()
        assert self.traces() == before

    def assert_gone(self):
        """No plumbing, no replica, nothing allocated."""
        for pod in PODS:
            assert self.bridge(pod) == ([], [], [])
        assert self.rows("Pod1", "routers", f"tricircle:{self.router}") == []
        assert self.rows("Pod2", "routers", f"tricircle:{self.router}") == []
        assert self.allocations() == ([], set())
        assert self.router not in str(self.gateway.store()["replicas"])
