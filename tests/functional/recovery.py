"""A gateway whose database is taken away, and a project that uses all that Tricircle keeps in two pods."""
import sqlite3
import subprocess

from tests.functional.gateway import TRICIRCLE, Gateway, until
from tests.functional.outside import Outside
from tests.functional.standin import Cloud
from tests.functional.test_floatingips import Case

PATIENCE = 240
COLUMNS = {"routings": "resource_id, pod_name, kind, routings.project_id", "bridges": "project_id, vlan, cidr",
           "replicas": "resource_id, pod_name, kind, project_id, local_id",
           "bridge_ips": "router_id, pod_name, project_id, ip", "default_groups": "project_id, group_id, pod_name",
           "pool_prefixes": "pool_id, pod_name, cidr, project_id", "bindings": "tenant_id, bindings.az_name, pod_name"}
# Ports are asked for; volume types are found by their names when they are needed.
LEFT_OUT = {"routings": "kind IN ('ports', 'security-group-rules')", "replicas": "kind LIKE 'volume/%'"}


class Place:
    """A gateway, its worker and its database, which tests take away.

    Args:
        folder: of its own.
        works: whether there is a worker.
    """

    def __init__(self, folder, works):
        self.cloud = Cloud(2)
        self.gateway = Gateway(self.cloud, folder, processes=1).start().register()
        self.path = folder / "state" / "tricircle.sqlite"
        self.works = works
        self.start()

    def start(self):
        """The worker, where there is one."""
        self.worker = self.gateway.worker() if self.works else None

    def stop(self):
        """Likewise."""
        if self.worker:
            self.worker.stop()

    def close(self):
        """All of it."""
        self.stop()
        self.gateway.stop()
        self.cloud.close()

    def sql(self, text):
        """The rows of a statement."""
        with sqlite3.connect(self.path, timeout=10) as db:
            return db.execute(text).fetchall()

    def rows(self):
        """What the store says, with the pods' names: a pod that is registered anew has another id."""
        return {table: sorted(self.sql(
            f"SELECT {columns} FROM {table} {'' if table == 'bridges' else 'JOIN pods USING (pod_id)'} "
            f"WHERE NOT ({LEFT_OUT.get(table, '0')})")) for table, columns in COLUMNS.items()}

    def settle(self):
        """No job is owed."""
        owed = "SELECT 1 FROM jobs WHERE state IN ('queued', 'running')"
        until(lambda: not self.worker or not self.sql(owed), PATIENCE)

    def tricircle(self, *words):
        """A command, ended."""
        return subprocess.run([TRICIRCLE, *words, "--config-file", self.gateway.conf], capture_output=True, text=True,
                              timeout=120)

    def lose(self):
        """What is left is the service without its state, and the pods, which an operator registers again."""
        self.stop()
        self.gateway.stop()
        for each in self.path.parent.glob("tricircle.sqlite*"):
            each.unlink()
        assert self.tricircle("db", "upgrade").returncode == 0
        self.gateway.start().register()


class Scene(Case):
    """A router over both pods with a floating IP for a port elsewhere; a group, a pool and an address scope in both."""

    def __init__(self, place):
        super().__init__(place.gateway, Outside(place.gateway))
        user, self.place = self.user, place
        self.floating_ip = self.floating(port_id=self.ports["Pod1"]["id"])
        self.group = user.make("security-groups", name="web")["id"]
        scope = user.make("address-scopes", name="s", ip_version=4)["id"]
        self.pool = user.make("subnetpools", name="p", prefixes=["10.200.0.0/16"], default_prefixlen=24,
                              address_scope_id=scope)["id"]
        self.drawn = []
        for pod in ("Pod1", "Pod2"):
            user.make("ports", network_id=self.nets[pod], security_groups=[self.group])
            self.drawn.append(user.make("subnets", network_id=user.net(f"az{pod[-1]}"), ip_version=4,
                                        subnetpool_id=self.pool))
        self.server, self.disk = user.boot(zone="az2"), user.disk("az1")
        place.settle()

    def listed(self):
        """All that the user sees, by list."""
        kinds = ("networks", "subnets", "ports", "routers", "security-groups", "floatingips", "subnetpools",
                 "address-scopes")
        found = {kind: self.user.network.ok("GET", f"/{kind}")[kind.replace("-", "_")] for kind in kinds}
        found["servers"] = self.user.compute.ok("GET", "/servers")["servers"]
        found["volumes"] = self.user.volume.ok("GET", "/volumes")["volumes"]
        return {kind: sorted((row["id"], row.get("name", "")) for row in rows)
                for kind, rows in found.items()}

    def left(self):
        """What Neutron has with a mark, or of the project; groups stay until they are deleted, defaults for ever."""
        return [(pod.name, kind, row["id"]) for pod in self.cloud for kind, rows in pod.network.snapshot().items()
                for row in rows.values() if not kind.startswith("security-group")
                and (self.user.project in str(row) or "tricircle:" in str(row))]

    def delete(self):
        """Everything, in the order that Neutron wants."""
        network = self.user.network
        network.ok("DELETE", f"/floatingips/{self.floating_ip['id']}")
        self.user.compute.ok("DELETE", f"/servers/{self.server}")
        network.ok("PUT", f"/routers/{self.router}", {"router": {"external_gateway_info": None}})
        for pod in ("Pod1", "Pod2"):
            assert self.join("remove", pod).status == 200
        self.place.settle()
        for kind in ("ports", "subnets", "networks", "routers", "subnetpools", "address-scopes"):
            for resource_id, _ in self.listed()[kind]:
                if resource_id not in (self.outside.network, self.outside.subnet):
                    assert network.delete(f"/{kind}/{resource_id}").status in (204, 404), (kind, resource_id)
        network.ok("DELETE", f"/security-groups/{self.group}")
        self.place.settle()
