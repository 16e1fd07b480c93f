"""A user who does anything in any order, and what he can be sure of afterwards.

An operation is a method of two numbers, which say what of the things that he holds it is about. He knows only what the
API shows him: an operation whose answer is lost may have happened or not.
"""
import itertools

import urllib3

from tests.functional.user import IMAGE, User, flavor

INTERFACE = "network:router_interface"
KINDS = ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules", "floatingips")
ORDER = ("name", "fixed_ips", "floating_ip_address", "port_range_min")
# Each as often as it shall come.
OPERATIONS = {
    "net": 3, "subnet": 1, "router": 2, "join": 5, "join_by_port": 2, "leave": 4, "gateway": 3, "no_gateway": 2,
    "toggle": 1, "floating_ip": 6, "associate": 5, "disassociate": 2, "no_floating_ip": 2, "port": 4, "server": 5,
    "regroup": 2, "group": 2, "rule": 3, "rule_for_address": 1, "no_rule": 1, "no_group": 1, "no_port": 2,
    "no_server": 2, "no_net": 1, "no_subnet": 1, "no_router": 2}


def member(kind):
    """Key of one of them in a body."""
    return kind.replace("-", "_").rstrip("s")


def pick(rows, number):
    """One of what there is, or None."""
    return rows[number % len(rows)] if rows else None


class Walker:
    """A user in a project of his own.

    Args:
        gateway: running.
        externals: an external network of each pod (`Outside`).
    """

    def __init__(self, gateway, externals):
        self.user, self.externals, self.count = User(gateway), externals, itertools.count(1)
        self.token, self.project, self.flavor = self.user.token, self.user.project, flavor(gateway)
        self.network, self.compute = (gateway.client(name, self.token, seconds=100) for name in ("network", "compute"))
        self.sure, self.gone, self.story, self.broken = {}, set(), [], []

    def call(self, client, method, path, body=None, **more):
        """The answer; None when it was lost, or nobody was there to give one."""
        try:
            answer = client.call(method, path, body, **more)
        except urllib3.exceptions.HTTPError as error:
            self.story.append(f"{method} {path} {body or ''}: {type(error).__name__}")
            return None
        told = "" if answer.status < 300 else answer.raw[:300].decode()
        self.story.append(f"{method} {path} {body or ''}: {answer.status} {told}")
        if answer.status >= 500:
            self.broken.append((answer.status, self.story[-1]))
        return answer

    def rows(self, kind):
        """What he holds of a kind, in an order that is the same each time; nothing when nobody answers."""
        client = self.compute if kind == "servers" else self.network
        try:
            answer = client.get("/servers/detail" if kind == "servers" else f"/{kind}")
        except urllib3.exceptions.HTTPError:
            return []
        listed = answer.body.get(kind.replace("-", "_"), []) if answer.status == 200 else []
        mine = [row for row in listed if row["tenant_id"] == self.project]
        return sorted(mine, key=lambda row: [str(row.get(field)) for field in ORDER])

    def ports(self, interfaces=False):
        """His ports, or his interfaces."""
        return [port for port in self.rows("ports") if (port["device_owner"] == INTERFACE) == interfaces]

    def make(self, kind, **fields):
        """A new one as the API shows it; None when there is none, as far as he knows."""
        answer = self.call(self.network, "POST", f"/{kind}", {member(kind): fields})
        if not answer or answer.status != 201:
            return None
        row = answer[member(kind)]
        self.sure[row["id"]] = kind, row
        return row

    def change(self, kind, row, **fields):
        """PUT."""
        return self.call(self.network, "PUT", f"/{kind}/{row['id']}", {member(kind): fields})

    def drop(self, kind, row, client=None):
        """DELETE; what goes along with it is not sure any more."""
        if not row:
            return
        answer = self.call(client or self.network, "DELETE", f"/{kind}/{row['id']}")
        if answer and 400 <= answer.status < 500:
            return
        for each in [each for each, (_, made) in self.sure.items() if row["id"] in made.values()]:
            self._doubt(each)
        if answer and answer.status < 300:
            self.gone.add(row["id"])

    def _doubt(self, each):
        self.sure.pop(each, None)

    def name(self, word):
        """New, and sorted as it came."""
        return f"{word}{next(self.count):03}"

    # Networks and routers

    def net(self, a, b):
        """With a subnet."""
        network = self.make("networks", name=self.name("net"), availability_zone_hints=[f"az{a % 2 + 1}"])
        if network:
            self._subnet(network, b)

    def _subnet(self, network, b):
        third = 1 if b == 7 else next(self.count)   # now and then one that overlaps
        self.make("subnets", network_id=network["id"], ip_version=4, cidr=f"10.0.{third}.0/24", name=self.name("sub"))

    def subnet(self, a, b):
        """One more on a network."""
        network = pick(self.rows("networks"), a)
        if network:
            self._subnet(network, b)

    def router(self, a, b):
        """With or without a gateway."""
        outside = {"external_gateway_info": self.externals[b % 2].info} if b % 3 == 0 else {}
        self.make("routers", name=self.name("r"), availability_zone_hints=[f"az{a % 2 + 1}"], **outside)

    def join(self, a, b):
        """Put a subnet on a router, as a rule one that is on none."""
        router, subnets = pick(self.rows("routers"), a), self.rows("subnets")
        used = {ip["subnet_id"] for port in self.ports(interfaces=True) for ip in port["fixed_ips"]} if b < 6 else ()
        subnet = pick([subnet for subnet in subnets if subnet["id"] not in used], b)
        if router and subnet:
            self._interface("add", router["id"], {"subnet_id": subnet["id"]})

    def join_by_port(self, a, b):
        """Likewise, with an address that is not the subnet's gateway."""
        router, subnet = pick(self.rows("routers"), a), pick(self.rows("subnets"), b)
        port = router and subnet and self.make("ports", network_id=subnet["network_id"], name=self.name("gate"),
                                               fixed_ips=[{"subnet_id": subnet["id"]}])
        if port:
            self._interface("add", router["id"], {"port_id": port["id"]})

    def leave(self, a, b):
        """Take an interface off its router."""
        port = pick(self.ports(interfaces=True), a)
        if port:
            which = {"port_id": port["id"]} if b % 2 else {"subnet_id": port["fixed_ips"][0]["subnet_id"]}
            self._interface("remove", port["device_id"], which, port["id"])

    def _interface(self, verb, router, which, port=None):
        answer = self.call(self.network, "PUT", f"/routers/{router}/{verb}_router_interface", which)
        if verb == "add" and answer and answer.status == 200:
            self.sure[answer["port_id"]] = "ports", answer.body
        if verb == "remove" and not (answer and 400 <= answer.status < 500):
            self._doubt(port)
            self.gone |= {port} if answer and answer.status == 200 else set()

    def gateway(self, a, b):
        """Set or move it."""
        router = pick(self.rows("routers"), a)
        if router:
            self.change("routers", router, external_gateway_info=self.externals[b % 2].info)

    def no_gateway(self, a, _):
        """Clear it."""
        router = pick(self.rows("routers"), a)
        if router:
            self.change("routers", router, external_gateway_info=None)

    def toggle(self, a, _):
        """A router up or down."""
        router = pick(self.rows("routers"), a)
        if router:
            self.change("routers", router, admin_state_up=not router["admin_state_up"])

    # Floating IPs, ports, servers

    def floating_ip(self, a, b):
        """With or without a port; as a rule of an external network that a router leads to."""
        gates = [router["external_gateway_info"] for router in self.rows("routers") if router["external_gateway_info"]]
        outside = pick(gates, a) if gates and a < 7 else self.externals[a % 2].info
        port = pick(self.ports(), b) if b % 4 else None
        self.make("floatingips", floating_network_id=outside["network_id"], **({"port_id": port["id"]} if port else {}))

    def associate(self, a, b):
        """Put it on a port, or move it there."""
        floating, port = pick(self.rows("floatingips"), a), pick(self.ports(), b)
        if floating and port:
            self.change("floatingips", floating, port_id=port["id"])

    def disassociate(self, a, _):
        """Take it off."""
        floating = pick(self.rows("floatingips"), a)
        if floating:
            self.change("floatingips", floating, port_id=None)

    def port(self, a, b):
        """In the default group, or in another one."""
        network, group = pick(self.rows("networks"), a), pick(self.rows("security-groups"), b)
        if network:
            self.make("ports", network_id=network["id"], name=self.name("port"),
                      **({"security_groups": [group["id"]]} if b % 2 and group else {}))

    def server(self, a, b):
        """On a network, or on a port."""
        networks = self.rows("networks")
        network, wanted = pick(networks, a), None
        port = pick([each for each in self.ports() if not each["device_id"]], b) if b % 4 == 0 else None
        if port:
            network, wanted = next((n for n in networks if n["id"] == port["network_id"]), None), {"port": port["id"]}
        if not network:
            return
        body = {"name": self.name("vm"), "imageRef": IMAGE, "flavorRef": self.flavor,
                "networks": [wanted or {"uuid": network["id"]}],
                "availability_zone": network["availability_zone_hints"][0]}
        answer = self.call(self.compute, "POST", "/servers", {"server": body},
                           headers={"OpenStack-API-Version": "compute 2.37"})
        if answer and answer.status == 202:
            self.sure[answer["server"]["id"]] = "servers", answer["server"]

    def regroup(self, a, b):
        """Put a port into a security group."""
        port, group = pick(self.ports(), a), pick(self.rows("security-groups"), b)
        if port and group:
            self.change("ports", port, security_groups=[group["id"]])

    # Security groups

    def group(self, a, b):
        """A group that names itself, or another one."""
        group = self.make("security-groups", name=self.name("group"))
        other = pick(self.rows("security-groups"), b)
        if group and other:
            self._rule(group, remote_group_id=(group if a % 2 else other)["id"])

    def _rule(self, group, **fields):
        number = next(self.count)
        self.make("security-group-rules", security_group_id=group["id"], direction="ingress", protocol="tcp",
                  port_range_min=number, port_range_max=number, **fields)

    def rule(self, a, b):
        """One that names a group."""
        group, other = pick(self.rows("security-groups"), a), pick(self.rows("security-groups"), b)
        if group and other:
            self._rule(group, remote_group_id=other["id"])

    def rule_for_address(self, a, b):
        """One like another rule, for one address: what Tricircle says for a member elsewhere."""
        port = pick(self.ports(), a)
        rule = pick([rule for rule in self.rows("security-group-rules") if rule["remote_group_id"]
                     and rule["ethertype"] == "IPv4"], b)
        if port and rule and port["fixed_ips"]:
            same = ("security_group_id", "direction", "protocol", "port_range_min", "port_range_max")
            self.make("security-group-rules", remote_ip_prefix=port["fixed_ips"][0]["ip_address"] + "/32",
                      **{field: rule[field] for field in same})

    def no_rule(self, a, _):
        """One goes that is not the default group's own."""
        self.drop("security-group-rules", pick(self.own_rules(), a))

    def own_rules(self):
        """Those that no group has by itself."""
        return [rule for rule in self.rows("security-group-rules")
                if rule["port_range_min"] or rule["remote_ip_prefix"]]

    def no_group(self, a, _):
        """With its rules, and those that name it."""
        self.drop("security-groups", pick([group for group in self.rows("security-groups")
                                           if group["name"] != "default"], a))

    # What goes

    def no_floating_ip(self, a, _):
        """DELETE."""
        self.drop("floatingips", pick(self.rows("floatingips"), a))

    def no_port(self, a, _):
        """One of his own."""
        self.drop("ports", pick([port for port in self.ports() if not port["device_id"]], a))

    def no_server(self, a, _):
        """DELETE."""
        self.drop("servers", pick(self.rows("servers"), a), self.compute)

    def no_net(self, a, _):
        """With its subnets."""
        self.drop("networks", pick(self.rows("networks"), a))

    def no_subnet(self, a, _):
        """DELETE."""
        self.drop("subnets", pick(self.rows("subnets"), a))

    def no_router(self, a, _):
        """DELETE."""
        self.drop("routers", pick(self.rows("routers"), a))

    def leave_nothing(self):
        """One attempt at deleting all that he holds; what he still holds afterwards, but for his default group."""
        for each in self.rows("floatingips"):
            self.drop("floatingips", each)
        for each in self.rows("servers"):
            self.drop("servers", each, self.compute)
        for router in self.rows("routers"):
            if router["external_gateway_info"]:
                self.change("routers", router, external_gateway_info=None)
        for port in self.ports(interfaces=True):
            self._interface("remove", port["device_id"], {"port_id": port["id"]}, port["id"])
        for kind in ("routers", "ports", "subnets", "networks"):
            for each in self.rows(kind):
                self.drop(kind, each)
        for each in self.rows("security-groups"):
            if each["name"] != "default":
                self.drop("security-groups", each)
        for each in self.own_rules():
            self.drop("security-group-rules", each)
        held = {kind: self.rows(kind) for kind in (*KINDS, "servers")}
        held["security-groups"] = [group for group in held["security-groups"] if group["name"] != "default"]
        held["security-group-rules"] = self.own_rules()
        return {kind: rows for kind, rows in held.items() if rows}
