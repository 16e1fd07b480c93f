"""Networks, subnets and ports: segments and a simple IPAM."""
import ipaddress
import uuid

from tests.functional.standin.web import Refused


class Addresses:
    """What Neutron does around addresses; mixed into `Neutron`."""

    # Networks

    max_mtu = 65535   # of the pod's wires

    def updated_networks(self, who, row, given):
        """Check what the wires can carry."""
        if given.get("mtu", 0) > self.max_mtu:
            raise Refused(400, f"Invalid input for operation: Requested MTU is too big, maximum is {self.max_mtu}.",
                          "InvalidInput")

    def created_networks(self, who, row, given):
        """Give a network its segment."""
        self.updated_networks(who, row, given)
        for hint in row["availability_zone_hints"]:
            if hint not in {zone["name"] for zone in self.templates["availability_zones"]}:
                raise Refused(404, f"AvailabilityZone {hint} could not be found.", "AvailabilityZoneNotFound")
        kind, physical = row.get("provider:network_type"), given.get("provider:physical_network")
        segment = given.get("provider:segmentation_id")
        if "provider:network_type" not in given:
            if physical or segment:
                raise Refused(400, "Invalid input for operation: network_type required.", "InvalidInput")
            kind = "vxlan"
        if kind not in ("vxlan", "vlan", "flat", "local", "gre", "geneve"):
            raise Refused(400, f"Invalid input for operation: network_type '{kind}' not supported.", "InvalidInput")
        if kind in ("vlan", "flat"):
            self._physical(physical)
        if kind == "vlan":
            self._vlan(row, physical, segment)
        if kind == "flat" and any(n["provider:physical_network"] == physical for n in self._others(row, "flat")):
            raise Refused(409, f"Unable to create the flat network. Physical network {physical} is in use.",
                          "FlatNetworkInUse")
        self.segment += 1
        row |= {"provider:network_type": kind, "provider:physical_network": physical, "status": "ACTIVE",
                "provider:segmentation_id": segment if segment or kind in ("flat", "local") else self.segment}

    def _others(self, row, kind):
        return [n for n in self.shelf("networks").values()
                if n is not row and n["provider:network_type"] == kind]

    def _physical(self, physical):
        if not physical:
            raise Refused(400, "Invalid input for operation: physical_network required.", "InvalidInput")
        if physical not in self.pod.physical:
            raise Refused(400, f"Invalid input for operation: physical_network '{physical}' unknown for VLAN provider "
                               "network.", "InvalidInput")

    def _vlan(self, row, physical, segment):
        if segment is not None and not 1 <= segment <= 4094:
            raise Refused(400, "Invalid input for operation: segmentation_id out of range (1 through 4094).",
                          "InvalidInput")
        if segment is not None and any((n["provider:physical_network"], n["provider:segmentation_id"])
                                       == (physical, segment) for n in self._others(row, "vlan")):
            raise Refused(409, f"Unable to create the network. The VLAN {segment} on physical network {physical} is in "
                               "use.", "VlanIdInUse")

    def deleted_networks(self, who, row):
        """A network goes with its DHCP ports and subnets, and not while something hangs on it."""
        ports = [p for p in self.shelf("ports").values() if p["network_id"] == row["id"]]
        if any(p["device_owner"] != "network:dhcp" for p in ports):
            raise Refused(409, f"Unable to complete operation on network {row['id']}. There are one or more ports "
                               "still in use on the network.", "NetworkInUse")
        for port in ports:
            del self.shelf("ports")[port["id"]]
        for subnet in [s for s in self.shelf("subnets").values() if s["network_id"] == row["id"]]:
            del self.shelf("subnets")[subnet["id"]]

    # Subnets

    def created_subnets(self, who, row, given):
        """Check a subnet against its network and lay out its addresses."""
        network = self.own(who, "networks", row["network_id"])
        if network["project_id"] != who.project.id and not who.admin:
            raise Refused(403, "rule:create_subnet is disallowed by policy", "PolicyNotAuthorized")
        row["ip_version"] = int(row["ip_version"])
        self.draw(who, row, given)
        net = ipaddress.ip_network(row["cidr"])
        if net.version != row["ip_version"]:
            raise Refused(400, f"Invalid input for operation: cidr {net} is not of that ip_version.", "InvalidInput")
        for other in self._subnets(row["network_id"]):
            if other is not row and net.overlaps(ipaddress.ip_network(other["cidr"])):
                raise Refused(400, f"Invalid input for operation: Requested subnet with cidr: {net} for network: "
                                   f"{network['id']} overlaps with another subnet.", "InvalidInput")
        if "gateway_ip" not in given:
            row["gateway_ip"] = str(net.network_address + 1)
        if not given.get("allocation_pools"):
            row["allocation_pools"] = self._pools(net, row["gateway_ip"])
        for name in ("dns_nameservers", "host_routes"):
            row[name] = given.get(name) or []
        self.revise(network)

    @staticmethod
    def _pools(net, gateway):
        first, last = net.network_address + 1, net.broadcast_address - 1
        if not gateway or ipaddress.ip_address(gateway) not in net:
            return [{"start": str(first), "end": str(last)}]
        gate, pools = ipaddress.ip_address(gateway), []
        if gate > first:
            pools.append({"start": str(first), "end": str(gate - 1)})
        if gate < last:
            pools.append({"start": str(gate + 1), "end": str(last)})
        return pools

    def _subnets(self, network_id):
        return [s for s in self.shelf("subnets").values() if s["network_id"] == network_id]

    def deleted_subnets(self, who, row):
        """Not while a port has an address of it, DHCP's own excepted."""
        for port in list(self.shelf("ports").values()):
            if any(ip["subnet_id"] == row["id"] for ip in port["fixed_ips"]):
                if port["device_owner"] == "network:dhcp":
                    del self.shelf("ports")[port["id"]]
                    continue
                raise Refused(409, f"Unable to complete operation on subnet {row['id']}: One or more ports have an IP "
                                   "allocation from this subnet.", "SubnetInUse")

    # Ports

    def created_ports(self, who, row, given):
        """Give a port its addresses and groups."""
        network = self.own(who, "networks", row["network_id"])
        if network["project_id"] != who.project.id and not who.admin and not network["shared"] \
                and not self.shared_with(who, network["id"]):
            raise Refused(403, "rule:create_port is disallowed by policy", "PolicyNotAuthorized")
        row["mac_address"] = given.get("mac_address") or "fa:16:3e:" + ":".join(
            uuid.uuid4().hex[i:i + 2] for i in (0, 2, 4))
        row["security_groups"] = self.groups_of_port(who, row, given)
        row["fixed_ips"] = []
        row["fixed_ips"] = self._addresses(row, given.get("fixed_ips"))
        row["status"] = "ACTIVE" if row["device_id"] and row["admin_state_up"] else "DOWN"
        for name in ("allowed_address_pairs", "extra_dhcp_opts"):
            row[name] = given.get(name) or []

    def updated_ports(self, who, row, given):
        """New addresses, groups or device."""
        if "fixed_ips" in given:
            row["fixed_ips"] = []
            row["fixed_ips"] = self._addresses(row, given["fixed_ips"])
            self.release_forwardings(row, {ip["ip_address"] for ip in row["fixed_ips"]})
        if "security_groups" in given:
            row["security_groups"] = self.groups_of_port(who, row, given)
        row["status"] = "ACTIVE" if row["device_id"] and row["admin_state_up"] else "DOWN"

    def _addresses(self, port, wanted):
        subnets = {s["id"]: s for s in self._subnets(port["network_id"])}
        if wanted is None:
            first = next((s for s in subnets.values() if s["ip_version"] == 4), None)
            return [self._next(first)] if first else []
        found = []
        for each in wanted:
            subnet = subnets.get(each.get("subnet_id")) or self._around(subnets, each, port)
            if "ip_address" in each:
                self._free(port, subnet, each["ip_address"])
                found.append({"subnet_id": subnet["id"], "ip_address": each["ip_address"]})
            else:
                found.append(self._next(subnet))
        return found

    def _around(self, subnets, wanted, port):
        if "subnet_id" in wanted:
            if wanted["subnet_id"] not in self.shelf("subnets"):
                raise Refused(404, f"Subnet {wanted['subnet_id']} could not be found.", "SubnetNotFound")
            raise Refused(400, f"Invalid input for operation: Failed to create port on network {port['network_id']}, "
                               "because fixed_ips included invalid subnet.", "InvalidInput")
        for subnet in subnets.values():
            if "ip_address" in wanted and ipaddress.ip_address(wanted["ip_address"]) in ipaddress.ip_network(
                    subnet["cidr"]):
                return subnet
        raise Refused(400, "IP address is not a valid IP for any of the subnets on the specified network.",
                      "InvalidIpForNetwork")

    def _used(self, subnet):
        return {ip["ip_address"] for port in self.shelf("ports").values() for ip in port["fixed_ips"]
                if ip["subnet_id"] == subnet["id"]}

    def _free(self, port, subnet, ip):
        if ipaddress.ip_address(ip) not in ipaddress.ip_network(subnet["cidr"]):
            raise Refused(400, f"IP address {ip} is not a valid IP for the specified subnet.", "InvalidIpForSubnet")
        if ip in self._used(subnet):
            raise Refused(409, f"IP address {ip} already allocated in subnet {subnet['id']}",
                          "IpAddressAlreadyAllocated")

    def _next(self, subnet):
        used = self._used(subnet) | {subnet["gateway_ip"]}
        for pool in subnet["allocation_pools"]:
            ip, end = ipaddress.ip_address(pool["start"]), ipaddress.ip_address(pool["end"])
            while ip <= end:
                if str(ip) not in used:
                    return {"subnet_id": subnet["id"], "ip_address": str(ip)}
                ip += 1
        raise Refused(409, f"No more IP addresses available on network {subnet['network_id']}.",
                      "IpAddressGenerationFailure")

    def deleted_ports(self, who, row):
        """Router ports go through the router only."""
        if row["device_owner"].startswith("network:router"):
            raise Refused(409, f"Port {row['id']} cannot be deleted directly via the port API: has device owner "
                               f"{row['device_owner']}.", "ServicePortInUse")
        self.release(row)
