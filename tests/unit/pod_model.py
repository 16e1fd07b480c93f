"""A tiny Neutron in memory, strict about order: what the planner's steps are tried on.

It speaks paths and JSON like the real one, so that reading (crosspod.observe) is tried as well.
"""
import itertools
import json
from ipaddress import ip_address, ip_network
from urllib.parse import parse_qsl, urlsplit

from tricircle.errors import PodUnreachable

INTERFACE = "network:router_interface"
SERVICE = "service"
DEFAULTS = {
    "networks": {"description": "", "subnets": []},
    "subnets": {"description": "", "ip_version": 4, "gateway_ip": None},
    "ports": {"description": "", "device_id": "", "device_owner": "", "fixed_ips": []},
    "routers": {"description": "", "admin_state_up": True, "routes": [], "external_gateway_info": None},
    "floatingips": {"port_id": None, "router_id": None, "fixed_ip_address": None, "port_forwardings": []},
}


class Refused(Exception):
    """A 4xx answer."""


class Neutron:
    """One pod. `writes` counts the calls that changed something."""

    def __init__(self, name: str):
        self.name, self.rows, self.writes = name, {kind: {} for kind in DEFAULTS}, 0
        self._numbers = itertools.count(1)

    def call(self, method: str, path: str, body=None) -> tuple[int, dict]:
        """A request's status and answer."""
        parts = urlsplit(path)
        names = parts.path.removeprefix("/v2.0/").split("/")
        try:
            if method == "GET":
                return 200, self._get(names, parse_qsl(parts.query))
            answer = self._write(method, names, json.loads(json.dumps(body)))
            self.writes += 1
            return 200, answer
        except Refused as refused:
            status, kind = refused.args
            return status, {"NeutronError": {"type": kind, "message": f"{method} {path}", "detail": ""}}

    def add(self, kind: str, **fields) -> dict:
        """A row, as if somebody had made it."""
        row = {**json.loads(json.dumps(DEFAULTS[kind])), "id": f"{self.name}-{kind}-{next(self._numbers)}", **fields}
        self.rows[kind][row["id"]] = row
        if kind == "subnets":
            self.rows["networks"][row["network_id"]]["subnets"].append(row["id"])
        return row

    def _get(self, names, query):
        kind = names[0]
        if len(names) == 2:
            return {kind[:-1]: self._row(kind, names[1])}
        wanted: dict[str, set] = {}
        for key, value in query:
            if key != "fields":
                wanted.setdefault(key, set()).add(value)
        return {kind: [row for row in self.rows[kind].values()
                       if all(str(row.get(key)) in values for key, values in wanted.items())]}

    def _row(self, kind, row_id):
        if row_id not in self.rows[kind]:
            raise Refused(404, "NotFound")
        return self.rows[kind][row_id]

    def _write(self, method, names, body):
        kind = names[0]
        if method == "POST":
            given = body[kind[:-1]]
            getattr(self, f"_check_{kind}")(given)
            return {kind[:-1]: self.add(kind, **{"project_id": SERVICE, **given})}
        row = self._row(kind, names[1])
        if method == "DELETE":
            getattr(self, f"_delete_{kind}")(row)
            del self.rows[kind][row["id"]]
            return {}
        if len(names) == 3:
            return getattr(self, f"_{names[2]}")(row, body)
        if "provider:segmentation_id" in body.get("network", {}):
            self._check_networks({**row, **body["network"]})
        row.update(body[kind[:-1]])
        return {}

    def _check_routers(self, given):
        """Whatever there is, Neutron makes another one."""

    def _check_networks(self, given):
        for other in self.rows["networks"].values():
            if other.get("provider:segmentation_id") == given["provider:segmentation_id"]:
                raise Refused(409, "VlanIdInUse")

    def _check_subnets(self, given):
        network = self._row("networks", given["network_id"])
        for other in network["subnets"]:
            if ip_network(self.rows["subnets"][other]["cidr"]).overlaps(ip_network(given["cidr"])):
                raise Refused(400, "InvalidInput")

    def _check_ports(self, given):
        self._row("networks", given["network_id"])
        for port in self.rows["ports"].values():
            for mine, other in itertools.product(given["fixed_ips"], port["fixed_ips"]):
                if mine == other:
                    raise Refused(409, "IpAddressInUse")

    def _delete_networks(self, row):
        if any(port["network_id"] == row["id"] for port in self.rows["ports"].values()):
            raise Refused(409, "NetworkInUse")
        for subnet in row["subnets"]:
            del self.rows["subnets"][subnet]

    def _delete_ports(self, row):
        if row["device_owner"]:
            raise Refused(409, "PortInUse")
        for floating in self.rows["floatingips"].values():
            if floating["port_id"] == row["id"]:
                floating.update(port_id=None, router_id=None)
            kept = [each for each in floating["port_forwardings"] if each.get("internal_port_id") != row["id"]]
            if len(kept) < len(floating["port_forwardings"]):
                floating.update(port_forwardings=kept, router_id=floating["router_id"] if kept else None)

    def _delete_routers(self, row):
        if self._interfaces(row):
            raise Refused(409, "RouterInUse")

    def _interfaces(self, router):
        return [port for port in self.rows["ports"].values()
                if port["device_id"] == router["id"] and port["device_owner"] == INTERFACE]

    def _nets(self, ports):
        return [ip_network(self.rows["subnets"][ip["subnet_id"]]["cidr"]) for port in ports for ip in port["fixed_ips"]]

    def _add_router_interface(self, router, body):
        if "subnet_id" in body:
            subnet = self._row("subnets", body["subnet_id"])
            if any(ip["subnet_id"] == subnet["id"] for port in self._interfaces(router) for ip in port["fixed_ips"]):
                raise Refused(400, "BadRequest")
            self._check_ports({"network_id": subnet["network_id"], "fixed_ips": [
                {"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}]})
            port = self.add("ports", network_id=subnet["network_id"], project_id=router["project_id"],
                            fixed_ips=[{"subnet_id": subnet["id"], "ip_address": subnet["gateway_ip"]}])
        else:
            port = self._row("ports", body["port_id"])
        if port["device_id"]:
            raise Refused(409, "PortInUse")
        port.update(device_id=router["id"], device_owner=INTERFACE)
        return {}

    def _remove_router_interface(self, router, body):
        port = self._row("ports", body["port_id"])
        if port not in self._interfaces(router):
            raise Refused(404, "RouterInterfaceNotFound")
        if any(ip_address(route["nexthop"]) in net for route in router["routes"] for net in self._nets([port])):
            raise Refused(409, "RouterInterfaceInUseByRoute")
        del self.rows["ports"][port["id"]]
        return {}

    def _add_extraroutes(self, router, body):
        nets = self._nets(self._interfaces(router))
        for route in body["router"]["routes"]:
            if not any(ip_address(route["nexthop"]) in net for net in nets):
                raise Refused(400, "InvalidRoutes")
            if route not in router["routes"]:
                router["routes"].append(route)
        return {}

    def _remove_extraroutes(self, router, body):
        router["routes"] = [route for route in router["routes"] if route not in body["router"]["routes"]]
        return {}


class Answer:
    """As upstream.client.Answer, as far as reading needs it."""

    def __init__(self, pod: str, status: int, body: dict):
        self.pod, self.status, self.ok, self._body = pod, status, status < 300, body

    def json(self) -> dict:
        """The body."""
        return json.loads(json.dumps(self._body))


class Cloud:
    """Several pods behind `Upstream.ask`; those in `dead` do not answer."""

    def __init__(self, *names: str):
        self.pods, self.dead = {name: Neutron(name) for name in names}, set()
        self.account = self

    def project_id(self):
        """As upstream.account.Account."""
        return SERVICE

    def ask(self, pod, service, method, path, body=None, deadline=None):
        """One call."""
        if pod in self.dead:
            raise PodUnreachable(pod, service, "is dead in this test")
        return Answer(pod, *self.pods[pod].call(method, path, body))
