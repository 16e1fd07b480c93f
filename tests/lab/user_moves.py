"""What a user may do next to his networks, one move a time, chosen by chance among those that make sense."""

ZONES = ("az1", "az2")
MOST = {"networks": 4, "routers": 2, "ports": 4, "addresses": 3, "groups": 2}


class User:
    """He looks at what he has before each move: a call that a death cut off may have been done or not.

    Args:
        cloud: his connection to the top region.
        outside: id of an external network.
        chance: random.Random; names, zones and CIDRs come from it.
    """

    def __init__(self, cloud, outside, chance):
        self.cloud, self.network, self.outside, self.chance = cloud, cloud.network, outside, chance
        self.made, self.said = 0, ""

    def next_move(self):
        """Draw moves until there is one that makes sense now, and do it: returns nothing, `said` is its name."""
        for move in iter(lambda: self.chance.choice(MOVES), None):
            self.said = move.__name__
            if move(self):
                return

    def settle_in(self):
        """A network in each zone, and a router on both: what the walk begins with."""
        router = self.network.create_router(name=self._named())
        for zone in ZONES:
            self.network.add_interface_to_router(router, subnet_id=self._add_network(zone).id)

    def _one(self, rows):
        rows = sorted(rows, key=lambda row: row.name or row.id)
        return self.chance.choice(rows) if rows else None

    def _drop(self, rows, delete, likely):
        found = self._one(rows)
        if found and self.chance.random() < likely:
            delete(found)
            return True

    def _networks(self):
        return [row for row in self.network.networks() if row.id != self.outside]

    def _ports(self):
        return list(self.network.ports(device_id=""))

    def _interfaces(self, router):
        return list(self.network.ports(device_id=router.id, device_owner="network:router_interface"))

    def _named(self):
        self.made += 1
        return f"w{self.made:03}"

    def _add_network(self, zone):
        name = self._named()
        made = self.network.create_network(name=name, availability_zone_hints=[zone])
        return self.network.create_subnet(name=name, network_id=made.id, ip_version=4, cidr=f"10.7.{self.made}.0/24")

    def make_network(self):
        """With a subnet of its own."""
        if len(self._networks()) < MOST["networks"]:
            return self._add_network(self.chance.choice(ZONES))

    def drop_network(self):
        """409 while something is on it."""
        return self._drop(self._networks(), self.network.delete_network, 0.4)

    def make_router(self):
        """Nowhere yet."""
        if len(list(self.network.routers())) < MOST["routers"]:
            return self.network.create_router(name=self._named())

    def drop_router(self):
        """409 while something is on it."""
        return self._drop(self.network.routers(), self.network.delete_router, 0.4)

    def join(self):
        """A subnet that has no router yet gets one."""
        router = self._one(self.network.routers())
        taken = {fixed["subnet_id"] for each in self.network.routers() for port in self._interfaces(each)
                 for fixed in port.fixed_ips}
        subnet = self._one(row for network in self._networks()
                           for row in self.network.subnets(network_id=network.id) if row.id not in taken)
        if router and subnet:
            return self.network.add_interface_to_router(router, subnet_id=subnet.id)

    def part(self):
        """An interface goes; 409 while a floating IP needs it."""
        router = self._one(self.network.routers())
        port = router and self._one(self._interfaces(router))
        if port:
            return self.network.remove_interface_from_router(router, port_id=port.id)

    def open_gateway(self):
        """A router's way out."""
        router = self._one(self.network.routers())
        if router:
            return self.network.update_router(router, external_gateway_info={"network_id": self.outside})

    def close_gateway(self):
        """409 while a floating IP needs it."""
        router = self._one(self.network.routers())
        if router:
            return self.network.update_router(router, external_gateway_info=None)

    def make_port(self):
        """As a server would have it."""
        network = self._one(self._networks())
        if network and len(self._ports()) < MOST["ports"]:
            return self.network.create_port(name=self._named(), network_id=network.id)

    def drop_port(self):
        """A floating IP on it comes off."""
        return self._drop(self._ports(), self.network.delete_port, 0.5)

    def make_address(self):
        """A floating IP for later."""
        if len(list(self.network.ips())) < MOST["addresses"]:
            return self.network.create_ip(floating_network_id=self.outside)

    def lead(self):
        """A floating IP to a port; 404 or 409 when no router leads there."""
        address, port = self._one(self.network.ips()), self._one(self._ports())
        if address and port:
            return self.network.update_ip(address, port_id=port.id)

    def unlead(self):
        """And off again."""
        address = self._one(self.network.ips())
        if address:
            return self.network.update_ip(address, port_id=None)

    def drop_address(self):
        """Wherever it leads."""
        return self._drop(self.network.ips(), self.network.delete_ip, 0.5)

    def make_group(self):
        """Its members let each other in."""
        if len(list(self.network.security_groups())) <= MOST["groups"]:
            group = self.network.create_security_group(name=self._named())
            return self.network.create_security_group_rule(security_group_id=group.id, direction="ingress",
                                                    ether_type="IPv4", remote_group_id=group.id)

    def enter_group(self):
        """A port becomes a member."""
        port, group = self._one(self._ports()), self._one(self.network.security_groups())
        if port and group:
            return self.network.update_port(port, security_group_ids=[group.id])

    def drop_group(self):
        """409 while it has members."""
        group = self._one(row for row in self.network.security_groups() if row.name != "default")
        if group:
            self.network.delete_security_group(group)
            return True


BUILDING = (User.make_network, User.make_router, User.join, User.open_gateway, User.make_port, User.make_address,
            User.lead, User.make_group, User.enter_group)
MOVES = (*BUILDING, User.make_network, User.join, User.join, User.lead, User.make_port, User.drop_network,
         User.drop_router, User.part, User.close_gateway, User.drop_port, User.unlead, User.drop_address,
         User.drop_group)
