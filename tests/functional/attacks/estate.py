"""What A has in both pods, with replicas of it: what B, and a mere reader of A's project, must not be able to move."""
import contextlib

from tests.functional.gateway import until
from tests.functional.outside import Outside
from tests.functional.standin.cloud import difference
from tests.functional.user import IMAGE, User, flavor

OURS = "tricircle"   # the user as which the gateway asks the pods itself


class Estate:
    """A's things; each attribute is an id.

    Args:
        gateway: running.
    """

    def __init__(self, gateway):
        self.gateway, self.cloud, self.outside = gateway, gateway.cloud, Outside(gateway)
        self.user = user = User(gateway)
        user.net("az1")   # so that the project's default pod, where its group has its home, is always Pod1
        self.group = user.make("security-groups", name="web")["id"]
        self.share = user.network.ok("POST", "/rbac-policies", {"rbac_policy": {
            "object_type": "security_group", "object_id": self.group, "action": "access_as_shared",
            "target_tenant": User(gateway).project}})["rbac_policy"]["id"]
        self.rule = user.make("security-group-rules", security_group_id=self.group, direction="ingress",
                              protocol="tcp", port_range_min=22, port_range_max=22)["id"]
        self.router = user.make("routers", name="r", availability_zone_hints=["az1"])["id"]
        self.lonely_router = user.make("routers", name="l", availability_zone_hints=["az1"])["id"]
        self.lonely, self.lonely_subnet = user.wired("az2")   # on no router
        self.nets, self.subnets, self.ports = {}, {}, {}
        for pod, zone in (("Pod1", "az1"), ("Pod2", "az2")):
            self.nets[pod], self.subnets[pod] = user.wired(zone)
            user.network.ok("PUT", f"/routers/{self.router}/add_router_interface", {"subnet_id": self.subnets[pod]})
            self.ports[pod] = user.make("ports", network_id=self.nets[pod], security_groups=[self.group])["id"]
        user.network.ok("PUT", f"/routers/{self.router}", {"router": {"external_gateway_info": self.outside.info}})
        self.floating = user.make("floatingips", floating_network_id=self.outside.network,
                                  port_id=self.ports["Pod1"])["id"]
        self.free = user.make("floatingips", floating_network_id=self.outside.network)["id"]
        self.movable = user.net()
        body = {"server_group": {"name": "g", "policies": ["anti-affinity"]}}
        self.server_group = user.compute.ok("POST", "/os-server-groups", body)["server_group"]["id"]
        self.server = user.boot(self.nets["Pod1"], "az1", security_groups=[{"name": "web"}])
        for zone, pod in (("az1", "Pod1"), ("az2", "Pod2")):
            user.compute.ok("POST", "/servers", {"server": {
                "name": "g", "imageRef": IMAGE, "flavorRef": flavor(gateway), "availability_zone": zone,
                "networks": [{"uuid": self.nets[pod]}]}, "os:scheduler_hints": {"group": self.server_group}})
        self.pool = user.make("subnetpools", name="p", prefixes=["10.96.0.0/16"], default_prefixlen=24)["id"]
        for zone in ("az1", "az2"):   # the pool has a replica in one of the pods
            user.make("subnets", network_id=user.net(zone), ip_version=4, subnetpool_id=self.pool)
        self.volume = user.disk("az1")
        until(lambda: {each["status"] for each in user.compute.ok("GET", "/servers/detail")["servers"]} == {"ACTIVE"})
        gateway.forget_jobs()

    @property
    def names(self):
        """All ids of A's, and the project: what a call in our name is about if it is about A."""
        flat = [value for value in vars(self).values() if isinstance(value, str)]
        return [*flat, self.user.project, *self.nets.values(), *self.subnets.values(), *self.ports.values()]

    @contextlib.contextmanager
    def untouched(self, who):
        """Within the block nothing changes, in no pod and not in the gateway's store.

        Nor does the gateway ask a pod in its own name; but for the asking project's own quota and default group.
        """
        groups = [group for pod in self.cloud for group in pod.network.shelf("security-groups").values()]
        own = [who.project, *(group["id"] for group in groups
                              if (group["project_id"], group["name"]) == (who.project, "default"))]
        pods, store = self.cloud.snapshot(), self._rows(who)
        with self.cloud.log.listening(OURS) as heard:
            yield
        asked = [call for call in heard if not any(each in call for each in own)]
        assert not asked, f"asked in our name: {asked}"
        moved = difference(pods, self.cloud.snapshot())
        assert not moved, moved
        rows = self._rows(who) ^ store
        assert not rows, f"rows: {rows}"

    def _rows(self, who):
        return {(table, row) for table, rows in self.gateway.store().items() for row in rows
                if (table, row[0]) != ("quota_usage", who.project)}
