"""Routers: interfaces, gateways and extra routes, with Neutron's refusals."""
import ipaddress

from tests.functional.standin import checks as c
from tests.functional.standin.service import stamp
from tests.functional.standin.web import Refused, Response

MAX_ROUTES = 1000
INTERFACE = "network:router_interface"
GATEWAY = "network:router_gateway"


class Routers:
    """What Neutron does around routers; mixed into `Neutron`."""

    def ports_of(self, router: dict, owner: str = INTERFACE) -> list[dict]:
        """A router's ports of one kind."""
        return [p for p in self.shelf("ports").values()
                if p["device_id"] == router["id"] and p["device_owner"] == owner]

    def connected(self, router: dict, *owners: str) -> list[dict]:
        """Subnets on which a router has an address, by ports of some kinds; by all of them as a rule."""
        ids = [ip["subnet_id"] for owner in owners or (INTERFACE, GATEWAY) for p in self.ports_of(router, owner)
               for ip in p["fixed_ips"]]
        return [self.shelf("subnets")[id] for id in ids]

    def router_towards(self, subnet, network_id) -> dict | None:
        """The router that joins a subnet and an external network; one that is the subnet's gateway is preferred."""
        found = []
        for router in self.shelf("routers").values():
            gateway = router.get("external_gateway_info") or {}
            here = [ip["ip_address"] for p in self.ports_of(router) for ip in p["fixed_ips"]
                    if ip["subnet_id"] == subnet["id"]]
            if gateway.get("network_id") == network_id and here:
                found.append((subnet["gateway_ip"] not in here, len(found), router))
        return min(found)[2] if found else None

    def created_routers(self, who, row, given):
        """Set the gateway that came with the body."""
        if given.get("routes"):
            raise Refused(400, "Unrecognized attribute(s) 'routes'", "HTTPBadRequest")
        self._gateway(who, row, given.get("external_gateway_info"))

    def updated_routers(self, who, row, given):
        """Routes are replaced as a whole; the gateway is moved."""
        if "external_gateway_info" in given:
            self._gateway(who, row, given["external_gateway_info"])
        if "routes" in given:
            self._check_routes(row, given["routes"])

    def _gateway(self, who, row, wanted):
        row["external_gateway_info"] = None
        old = next(iter(self.ports_of(row, GATEWAY)), None)
        network = self._external(who, wanted) if wanted else None
        same = old and network and old["network_id"] == network["id"] and not wanted.get("external_fixed_ips")
        if old and not same:
            self._without_floating(row, old["network_id"])
        if not wanted:
            self.shelf("ports").pop(old and old["id"], None)
            return
        port = old if same else self._gateway_port(row, network, wanted)
        if old and not same:
            del self.shelf("ports")[old["id"]]
        row["external_gateway_info"] = {"network_id": network["id"], "enable_snat": wanted.get("enable_snat", True),
                                        "external_fixed_ips": port["fixed_ips"]}

    def _external(self, who, wanted):
        chosen = sorted(wanted.keys() & {"enable_snat", "external_fixed_ips"})
        if chosen and not who.admin:
            raise Refused(403, f"rule:update_router:external_gateway_info:{chosen[0]} is disallowed by policy",
                          "PolicyNotAuthorized")
        network = self.own(who, "networks", wanted["network_id"])
        if not network["router:external"]:
            raise Refused(400, f"Bad router request: Network {network['id']} is not an external network.", "BadRequest")
        return network

    def _gateway_port(self, row, network, wanted):
        port = self.put("ports", "", {"network_id": network["id"], "device_owner": GATEWAY, "device_id": ""})
        port["security_groups"], port["fixed_ips"] = [], []
        try:
            port["fixed_ips"] = self._addresses(port, wanted.get("external_fixed_ips"))
            for ip in port["fixed_ips"]:
                self._fit_in(row, self.shelf("subnets")[ip["subnet_id"]], INTERFACE)
        except Refused:
            del self.shelf("ports")[port["id"]]
            raise
        port["device_id"] = row["id"]
        return port

    def _without_floating(self, row, network_id):
        if any((f["router_id"], f["floating_network_id"]) == (row["id"], network_id)
               for f in self.shelf("floatingips").values()):
            raise Refused(409, f"Gateway cannot be updated for router {row['id']}, since a gateway to external network "
                               f"{network_id} is required by one or more floating IPs.",
                          "RouterExternalGatewayInUseByFloatingIp")

    def deleted_routers(self, who, row):
        """Not while it has interfaces."""
        attached = ", ".join(port["id"] for port in self.ports_of(row))
        if attached:
            raise Refused(409, f"Router {row['id']} has ports still attached: {attached}", "RouterInUse")
        for port in self.ports_of(row, GATEWAY):
            del self.shelf("ports")[port["id"]]

    def _which(self, request, adding: bool) -> dict:
        given = self._checked({"subnet_id": c.identifier, "port_id": c.identifier}, self.body(request))
        if not given:
            raise Refused(400, "Bad router request: Either subnet_id or port_id must be specified.", "BadRequest")
        if adding and len(given) == 2:
            raise Refused(400, "Bad router request: Cannot specify both subnet-id and port-id.", "BadRequest")
        return given

    def add_router_interface(self, request, id):
        """PUT add_router_interface by subnet or by port."""
        router = self._changeable(request, "routers", id, "add_router_interface")
        given = self._which(request, adding=True)
        if "port_id" in given:
            port = self.own(request.who, "ports", given["port_id"])
            if port["device_id"]:
                raise Refused(409, f"Unable to complete operation on port {port['id']} for network {port['network_id']}"
                                   f". Port already has an attached device {port['device_id']}.", "PortInUse")
            if not port["fixed_ips"]:
                raise Refused(400, "Bad router request: Router port must have at least one fixed IP.", "BadRequest")
            self._fit_in(router, self.shelf("subnets")[port["fixed_ips"][0]["subnet_id"]])
        else:
            subnet = self.own(request.who, "subnets", given["subnet_id"])
            if not subnet["gateway_ip"]:
                raise Refused(400, "Bad router request: Subnet for router interface must have a gateway IP.",
                              "BadRequest")
            self._fit_in(router, subnet)
            port = self._interface(router, subnet)
        port |= {"device_id": router["id"], "device_owner": INTERFACE,
                 "status": "ACTIVE" if port["admin_state_up"] else "DOWN"}
        return Response(200, self._interface_body(router, port))

    def _interface(self, router, subnet):
        if subnet["gateway_ip"] in self._used(subnet):
            raise Refused(409, f"Unable to complete operation for network {subnet['network_id']}. The IP address "
                               f"{subnet['gateway_ip']} is in use.", "IpAddressInUse")
        port = self.put("ports", router["project_id"], {"network_id": subnet["network_id"]})
        port |= {"fixed_ips": [{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}], "security_groups": [],
                 "mac_address": "fa:16:3e:" + ":".join(port["id"][i:i + 2] for i in (0, 2, 4))}
        return port

    def _fit_in(self, router, subnet, *owners):
        for other in self.connected(router, *owners):
            if other["id"] == subnet["id"]:
                raise Refused(400, f"Bad router request: Router already has a port on subnet {subnet['id']}.",
                              "BadRequest")
            if ipaddress.ip_network(other["cidr"]).overlaps(ipaddress.ip_network(subnet["cidr"])):
                raise Refused(400, f"Bad router request: Cidr {subnet['cidr']} of subnet {subnet['id']} overlaps with "
                                   f"cidr {other['cidr']} of subnet {other['id']}.", "BadRequest")

    @staticmethod
    def _interface_body(router, port):
        subnets = [ip["subnet_id"] for ip in port["fixed_ips"]]
        return {"id": router["id"], "tenant_id": router["tenant_id"], "port_id": port["id"],
                "network_id": port["network_id"], "subnet_id": subnets[0], "subnet_ids": subnets, "tags": []}

    def remove_router_interface(self, request, id):
        """PUT remove_router_interface by subnet, by port, or by both."""
        router = self._changeable(request, "routers", id, "remove_router_interface")
        given = self._which(request, adding=False)
        for port in self.ports_of(router):
            subnets = [ip["subnet_id"] for ip in port["fixed_ips"]]
            if given.get("port_id", port["id"]) == port["id"] and given.get("subnet_id", subnets[0]) in subnets:
                break
        else:
            if "port_id" in given:
                self.own(request.who, "ports", given["port_id"])
                raise Refused(404, f"Router {id} does not have an interface with id {given['port_id']}",
                              "RouterInterfaceNotFound")
            self.own(request.who, "subnets", given["subnet_id"])
            raise Refused(404, f"Router {id} has no interface on subnet {given['subnet_id']}",
                          "RouterInterfaceNotFoundForSubnet")
        self._unneeded(router, port)
        del self.shelf("ports")[port["id"]]
        return Response(200, self._interface_body(router, port))

    def _unneeded(self, router, port):
        nets = [ipaddress.ip_network(self.shelf("subnets")[ip["subnet_id"]]["cidr"]) for ip in port["fixed_ips"]]
        for route in router["routes"]:
            if any(ipaddress.ip_address(route["nexthop"]) in net for net in nets):
                raise Refused(409, f"Router interface for subnet {port['fixed_ips'][0]['subnet_id']} on router "
                                   f"{router['id']} cannot be deleted, as it is required by one or more routes.",
                              "RouterInterfaceInUseByRoute")
        used = {ip["ip_address"] for other in self.shelf("ports").values() for ip in other["fixed_ips"]}
        for floating in self.shelf("floatingips").values():
            led = {floating["fixed_ip_address"], *(each["internal_ip_address"]
                                                   for each in floating.get("_forwardings", ()))} & used
            if floating["router_id"] == router["id"] and any(ipaddress.ip_address(ip) in net for ip in led
                                                             for net in nets):
                raise Refused(409, f"Router interface for subnet on router {router['id']} cannot be deleted, as it is "
                                   "required by one or more floating IPs.", "RouterInterfaceInUseByFloatingIP")

    def add_extraroutes(self, request, id):
        """PUT add_extraroutes: those that are there already are no error."""
        return self._extra(request, id, lambda old, given: old + [r for r in given if r not in old])

    def remove_extraroutes(self, request, id):
        """PUT remove_extraroutes: those that are not there are no error."""
        return self._extra(request, id, lambda old, given: [r for r in old if r not in given])

    def _extra(self, request, id, merge):
        router = self._changeable(request, "routers", id, "update_router")
        routes = merge(router["routes"], self._unchecked(self._member(request, "router").get("routes")))
        self._check_routes(router, routes)
        router |= {"routes": [self._canonical(route) for route in routes], "updated_at": stamp()}
        return Response(200, {"router": self.view("routers", router, None, request.who)})

    @staticmethod
    def _unchecked(routes):
        """Routes to add or remove: Neutron looks at nothing but two fields, and breaks where they are not there.

        It says 500 then, which the tests that look for breaks of ours would take for one.
        """
        if not isinstance(routes, list) or not all(isinstance(each, dict) and {"destination", "nexthop"} <= each.keys()
                                                   for each in routes):
            raise Refused(400, "Request Failed: internal server error while processing your request.",
                          "HTTPInternalServerError")
        return [{name: each[name] for name in ("destination", "nexthop")} for each in routes]

    @staticmethod
    def _canonical(route):
        try:
            return {"destination": str(ipaddress.ip_network(route["destination"], strict=False)),
                    "nexthop": str(ipaddress.ip_address(route["nexthop"]))}
        except ValueError as error:
            raise Refused(400, str(error), "AddrFormatError") from None

    def _check_routes(self, router, routes):
        if len(routes) > MAX_ROUTES:
            raise Refused(400, f"Unable to complete operation for {router['id']}. The number of routes exceeds the "
                               f"maximum {MAX_ROUTES}.", "RoutesExhausted")
        nets = [ipaddress.ip_network(s["cidr"]) for s in self.connected(router)]
        own = {ip["ip_address"] for p in self.ports_of(router) for ip in p["fixed_ips"]}
        for route in routes:
            hop = ipaddress.ip_address(self._canonical(route)["nexthop"])
            if not any(hop in net for net in nets):
                raise Refused(400, f"Invalid format for routes: {routes}, the nexthop is not connected with router",
                              "InvalidRoutes")
            if str(hop) in own:
                raise Refused(400, f"Invalid format for routes: {routes}, the nexthop is used by router",
                              "InvalidRoutes")
