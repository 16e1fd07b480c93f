"""Floating addresses, with Neutron's refusals."""
import ipaddress

from tests.functional.standin.web import Refused

DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
FREE = {"port_id": None, "fixed_ip_address": None, "router_id": None, "status": "DOWN"}


class Floating:
    """What Neutron does around floating addresses; mixed into `Neutron`."""

    def details_of(self, row) -> dict | None:
        """What a floating address shows of its port."""
        port = self.shelf("ports").get(row["port_id"])
        return {name: port[name] for name in DETAILS} if port else None

    def created_floatingips(self, who, row, given):
        """Take an outside address and put it on a port."""
        network = self.own(who, "networks", row["floating_network_id"])
        if not network["router:external"]:
            raise Refused(400, f"Bad floatingip request: Network {network['id']} is not a valid external network.",
                          "BadRequest")
        subnet = next(iter(self._subnets(network["id"])), None)
        if not subnet:
            raise Refused(400, f"Bad floatingip request: Network {network['id']} does not contain any IPv4 subnet.",
                          "BadRequest")
        port = self.put("ports", "", {"network_id": network["id"], "device_owner": "network:floatingip",
                                      "device_id": row["id"]})
        port["fixed_ips"], port["security_groups"] = [], []
        wanted = given.get("floating_ip_address")
        port["fixed_ips"] = [{"subnet_id": subnet["id"], "ip_address": wanted} if wanted else self._next(subnet)]
        row |= {"floating_ip_address": port["fixed_ips"][0]["ip_address"], "_port": port["id"]}
        try:
            self._associate(who, row, given)
        except Refused:
            del self.shelf("ports")[port["id"]]
            raise

    def updated_floatingips(self, who, row, given):
        """Move it to another port, or to none."""
        if "port_id" in given or "fixed_ip_address" in given:
            self._associate(who, row, given)

    def _associate(self, who, row, given):
        if not given.get("port_id"):
            if given.get("fixed_ip_address"):
                raise Refused(400, "Bad floatingip request: fixed_ip_address cannot be specified without a port_id.",
                              "BadRequest")
            row |= FREE | ({"router_id": row["router_id"]} if row.get("_forwardings") else {})
            return
        self.unforwarded(row)
        port = self.own(who, "ports", given["port_id"])
        if port["project_id"] != row["project_id"] and not who.admin:
            raise Refused(400, "Bad floatingip request: Cannot process floating IP association with Port "
                               f"{port['id']}, since that port is owned by a different tenant.", "BadRequest")
        inside = self._inside(port, given.get("fixed_ip_address"))
        subnet = self.own(who, "subnets", inside["subnet_id"])
        router = self.router_towards(subnet, row["floating_network_id"])
        if not router:
            raise Refused(404, f"External network {row['floating_network_id']} is not reachable from subnet "
                               f"{subnet['id']}. Therefore, cannot associate Port {port['id']} with a Floating IP.",
                          "ExternalGatewayForFloatingIPNotFound")
        ip = inside["ip_address"]
        for other in self.shelf("floatingips").values():
            if other is not row and (other["port_id"], other["fixed_ip_address"], other["floating_network_id"]) == (
                    port["id"], ip, row["floating_network_id"]):
                raise Refused(409, f"Cannot associate floating IP {row['floating_ip_address']} ({row['id']}) with port "
                                   f"{port['id']} using fixed IP {ip}, as that fixed IP already has a floating IP on "
                                   f"external network {row['floating_network_id']}.", "FloatingIPPortAlreadyAssociated")
        row |= {"port_id": port["id"], "fixed_ip_address": ip, "router_id": router["id"], "status": "ACTIVE"}

    @staticmethod
    def _inside(port, wanted):
        """The port's address that is meant."""
        fours = [ip for ip in port["fixed_ips"] if ipaddress.ip_address(ip["ip_address"]).version == 4]
        if wanted:
            fours = [ip for ip in fours if ip["ip_address"] == wanted]
        if not fours:
            words = f"Port {port['id']} does not have fixed ip {wanted}" if wanted else \
                f"Cannot add floating IP to port {port['id']} that has no fixed IPv4 addresses"
            raise Refused(400, f"Bad floatingip request: {words}.", "BadRequest")
        if len(fours) > 1:
            raise Refused(400, f"Bad floatingip request: Port {port['id']} has multiple fixed IPv4 addresses.  Must "
                               "provide a specific IPv4 address when assigning a floating IP.", "BadRequest")
        return fours[0]

    def release(self, port):
        """A port that goes is no floating address's any more."""
        for row in self.shelf("floatingips").values():
            if row["port_id"] == port["id"]:
                row |= FREE
        self.release_forwardings(port)

    def deleted_floatingips(self, who, row):
        """The outside address is free again."""
        self.unforwarded(row)
        self.shelf("ports").pop(row.get("_port"), None)
