"""External networks, as an administrator makes them for everybody."""
import itertools

VLANS = itertools.count(3001)
NETS = itertools.count(1)


class Outside:
    """An external network with a subnet.

    Args:
        gateway: running.
        pod: name of its pod; the stand-ins' last one has the physical network `extern`.
    """

    def __init__(self, gateway, pod="Pod2"):
        self.pod, self.admin = pod, gateway.client("network", "admin")
        physical = "extern" if "extern" in gateway.cloud[pod].physical else "bridge"
        body = {"name": "ext-net", "router:external": True, "provider:network_type": "vlan",
                "provider:physical_network": physical, "provider:segmentation_id": next(VLANS),
                "availability_zone_hints": [pod]}
        self.network = self.admin.ok("POST", "/networks", {"network": body})["network"]["id"]
        self.cidr = f"198.18.{next(NETS)}.0/24"
        body = {"network_id": self.network, "ip_version": 4, "cidr": self.cidr, "enable_dhcp": False}
        self.subnet = self.admin.ok("POST", "/subnets", {"subnet": body})["subnet"]["id"]

    @property
    def info(self):
        """What a router's body says to have it as its gateway."""
        return {"network_id": self.network}

    def delete(self):
        """As an administrator does when nothing hangs on it any more."""
        self.admin.ok("DELETE", f"/networks/{self.network}")

    def vanish(self, cloud):
        """With all that hangs on it: everybody sees an external network, the next test's users, too."""
        shelf = cloud[self.pod].network.shelf
        for kind, field in (("floatingips", "floating_network_id"), ("ports", "network_id"), ("subnets", "network_id"),
                            ("networks", "id")):
            for row in [row for row in shelf(kind).values() if row[field] == self.network]:
                del shelf(kind)[row["id"]]
        for router in shelf("routers").values():
            if (router["external_gateway_info"] or {}).get("network_id") == self.network:
                router["external_gateway_info"] = None
