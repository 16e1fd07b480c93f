"""Port forwardings of floating addresses, with Neutron's refusals; answers as the lab's pods give them."""
from tests.functional.standin import checks as c
from tests.functional.standin.service import new_id
from tests.functional.standin.web import Refused, Response

PATH = "/v2.0/floatingips/{id}/port_forwardings"
PORT = c.integer(1, 65535)
CHECKS = {"external_port": PORT, "internal_port": PORT, "internal_ip_address": c.address,
          "internal_port_id": c.identifier, "protocol": c.one_of("tcp", "udp", "icmp", "sctp", "dccp"),
          "description": c.text(255), "project_id": c.text(255)}
REQUIRED = ("external_port", "internal_port", "internal_ip_address", "internal_port_id", "protocol")
BRIEF = ("id", "protocol", "internal_ip_address", "internal_port_id", "internal_port", "external_port")
BAD = "Bad port_forwarding request: "


class Forwarding:
    """Mixed into `Neutron`; a floating address has its own in `_forwardings`."""

    def forwarding_table(self):
        """Routes."""
        return [("GET", PATH, self.forwarding_list), ("POST", PATH, self.forwarding_create),
                *((method, PATH + "/{forwarding}", self.forwarding) for method in ("GET", "PUT", "DELETE"))]

    @staticmethod
    def forwardings_of(row) -> list[dict]:
        """As the floating address itself shows them."""
        return [{name: each[name] for name in BRIEF} for each in row.get("_forwardings", ())]

    @staticmethod
    def _forwarding_view(each):
        ranges = {f"{side}_port_range": f"{each[f'{side}_port']}:{each[f'{side}_port']}"
                  for side in ("internal", "external")}
        return {"description": "", **each, **ranges}

    def _floating_of(self, request, id, what):
        return self.own(request.who, "floatingips", id) if request.method == "GET" else \
            self._changeable(request, "floatingips", id, what)

    def forwarding_list(self, request, id):
        """GET; `internal_port_id` is the filter that anybody uses."""
        row, given = self._floating_of(request, id, ""), request.args()
        found = [self._forwarding_view(each) for each in row.get("_forwardings", ())
                 if each["internal_port_id"] in given.get("internal_port_id", [each["internal_port_id"]])]
        return Response(200, {"port_forwardings": [
            {name: value for name, value in each.items() if name in given.get("fields", each)} for each in found]})

    def forwarding_create(self, request, id):
        """POST: one, or several under the plural name, all or nothing."""
        body = self.body(request)
        bulk = body.get("port_forwardings")
        asked = bulk if isinstance(bulk, list) and bulk else [self._member(request, "port_forwarding")]
        row = self._floating_of(request, id, "create_floatingip_port_forwarding")
        before, router = list(row.get("_forwardings", ())), row["router_id"]
        try:
            made = [self._forward(request.who, row, self._given(each)) for each in asked]
        except Refused:
            row |= {"_forwardings": before, "router_id": router}
            raise
        if bulk:
            return Response(201, {"port_forwardings": [self._forwarding_view(each) for each in made]})
        return Response(201, {"port_forwarding": self._forwarding_view(made[0])})

    def _given(self, body):
        given = self._checked(CHECKS, body)
        given.pop("project_id", None)
        for name in REQUIRED:
            if name not in given:
                raise Refused(400, f"Failed to parse request. Required attribute '{name}' not specified",
                              "HTTPBadRequest")
        return given

    def _forward(self, who, row, given):
        self._alone(row, given)
        port = self.own(who, "ports", given["internal_port_id"])
        if any(each["port_id"] == port["id"] for each in self.shelf("floatingips").values()):
            raise Refused(409, f"Cannot create port forwarding to floating IP {row['floating_ip_address']} with port "
                               f"{port['id']} using fixed IP {given['internal_ip_address']}, as that port already has "
                               "a binding floating IP.", "PortHasBindingFloatingIP")
        if row["port_id"]:
            raise Refused(409, f"Cannot associate floating IP {row['floating_ip_address']} ({row['id']}) with port "
                               f"{port['id']}", "FloatingIPPortAlreadyAssociated")
        self._lead(who, row, given)
        made = {"id": new_id(), **given}
        row["_forwardings"] = [*row.get("_forwardings", ()), made]
        return made

    def _alone(self, row, given, but=None):
        """No two have the same outside, nor the same inside."""
        for floating in self.shelf("floatingips").values():
            for each in floating.get("_forwardings", ()):
                same = each is not but and each["protocol"] == given["protocol"]
                inside = all(each[name] == given[name] for name in
                             ("internal_port_id", "internal_ip_address", "internal_port"))
                if same and (inside or (floating is row and each["external_port"] == given["external_port"])):
                    side = "internal" if inside else "external"
                    ports = f"{given[f'{side}_port']}:{given[f'{side}_port']}"
                    raise Refused(400, f"{BAD}There is a port collision with the {side}_port_range. The following "
                                       f"ranges collides: {ports} and {ports}.", "BadRequest")

    def _lead(self, who, row, given):
        """Find the router, and keep it."""
        port = self.own(who, "ports", given["internal_port_id"])
        subnet = next((ip["subnet_id"] for ip in port["fixed_ips"] if ip["ip_address"] == given["internal_ip_address"]),
                      None)
        if not subnet:
            raise Refused(400, f"{BAD}Requested internal IP address {given['internal_ip_address']} is not suitable for "
                               f"internal neutron port {port['id']}, as its fixed_ips are {port['fixed_ips']}.",
                          "BadRequest")
        router = self.router_towards(self.own(who, "subnets", subnet), row["floating_network_id"])
        if not router:
            raise Refused(400, f"{BAD}External network {row['floating_network_id']} is not reachable from subnet "
                               f"{subnet}. Cannot set Port forwarding for port {port['id']} with Floating IP "
                               f"{row['id']}.", "BadRequest")
        if row["router_id"] not in (None, router["id"]):
            raise Refused(400, f"{BAD}The Floating IP {row['id']} had been set on router {row['router_id']}, the "
                               f"internal Neutron port {port['id']} can not reach it.", "BadRequest")
        row["router_id"] = router["id"]

    def forwarding(self, request, id, forwarding):
        """One of them."""
        row = self._floating_of(request, id, "update_floatingip_port_forwarding")
        found = next((each for each in row.get("_forwardings", ()) if each["id"] == forwarding), None)
        if not found:
            raise Refused(404, f"Port Forwarding {forwarding} could not be found.", "PortForwardingNotFound")
        if request.method == "DELETE":
            self._forget_forwardings(row, lambda each: each is found)
            return Response(204)
        if request.method == "PUT":
            new = found | self._checked(CHECKS, self._member(request, "port_forwarding"))
            self._lead(request.who, row, new)
            self._alone(row, new, found)
            found |= new
        return Response(200, {"port_forwarding": self._forwarding_view(found)})

    @staticmethod
    def _forget_forwardings(row, which):
        kept = [each for each in row.get("_forwardings", ()) if not which(each)]
        if len(kept) < len(row.get("_forwardings", ())):
            row |= {"_forwardings": kept} | ({} if kept else {"router_id": None})

    def release_forwardings(self, port, kept=()):
        """A port that goes, or changes its addresses to `kept`, takes its forwardings along."""
        for row in self.shelf("floatingips").values():
            self._forget_forwardings(row, lambda each: each["internal_port_id"] == port["id"]
                                     and each["internal_ip_address"] not in kept)

    @staticmethod
    def unforwarded(row):
        """Not while it has any."""
        if row.get("_forwardings"):
            raise Refused(409, f"Floating IP {row['id']} in use by Port Forwarding resources.",
                          "FipInUseByPortForwarding")
