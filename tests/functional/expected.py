"""What pods and store should have, computed from what a user holds, and what they have: facts that can be compared.

Nothing here asks the gateway where anything is, nor shares code with its planner: a fact is a tuple of words.
"""
from ipaddress import ip_address, ip_network

from tests.functional.walker import INTERFACE

ANYWHERE = "0.0.0.0/0"
MEANING = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
           "remote_group_id")
PLUMBED = ("network:router_gateway", "network:floatingip")


class Land:
    """The pods and the store, as they are at one moment.

    Args:
        gateway: its store is read.
        held: {kind: rows} that the user sees.
        project: the user's.
        before: ids of what the pods had before he came, and rows of interfaces that the store had.
    """

    def __init__(self, gateway, held, project, before):
        self.project, self.held = project, {kind: {row["id"]: row for row in rows} for kind, rows in held.items()}
        self.all = {pod.name: pod.network.snapshot() for pod in gateway.cloud}
        self.rows = {pod: {kind: {each: row for each, row in rows.items() if each not in before}
                           for kind, rows in shelves.items()} for pod, shelves in self.all.items()}
        self.store = Store(gateway, project, before)

    # Where things are

    def pod_of(self, kind, each):
        """The pod that has it under its own id."""
        return next((pod for pod, shelves in self.all.items() if each in shelves.get(kind, {})), None)

    def home_id(self, pod, kind, local):
        """What the user calls something of a pod: its replica's mark says so."""
        row = self.all[pod].get(kind, {}).get(local)
        if row is None:
            return f"nothing:{local}"
        marked = row["description"].startswith("tricircle:")
        return row["description"].removeprefix("tricircle:") if marked else local

    # Routers

    def spread(self, router):
        """{pod: CIDRs of the user's interfaces}, pod of the gateway."""
        inside = {}
        for port in self.held["ports"].values():
            if port["device_owner"] == INTERFACE and port["device_id"] == router["id"]:
                for ip in port["fixed_ips"]:
                    subnet = self.held["subnets"].get(ip["subnet_id"], {"cidr": f"lost:{ip['subnet_id']}"})
                    inside.setdefault(self.pod_of("ports", port["id"]), []).append(subnet["cidr"])
        info = router["external_gateway_info"]
        return inside, self.pod_of("networks", info["network_id"]) if info else None

    def wanted(self):
        """Facts that follow from what the user holds."""
        facts, bridged = set(), set()
        for router in self.held["routers"].values():
            inside, gate = self.spread(router)
            facts |= self._replicas(router, inside, gate)
            pods = inside.keys() | ({gate} - {None})
            if len(pods) > 1:
                bridged |= pods
                facts |= self._plumbing(router, inside, gate, pods)
        segment = self.store.bridges.get(self.project, ("no VLAN", "no subnet"))
        facts |= {("bridge network", pod, segment[0]) for pod in bridged}
        facts |= {("bridge subnet", pod, segment[1]) for pod in bridged}
        facts |= {("allocated segment",)} if bridged else set()
        for floating in self.held["floatingips"].values():
            facts |= self._floating(floating)
        return facts

    def _replicas(self, router, inside, gate):
        home, each = self.pod_of("routers", router["id"]), router["id"]
        there = (inside.keys() | ({gate} - {None})) - {home}
        facts = {("replica of router", pod, each, router["name"], router["admin_state_up"]) for pod in there}
        facts |= {("known replica", "routers", each, pod) for pod in there}
        return facts | ({("gateway", gate, each, router["external_gateway_info"]["network_id"])} if gate else set())

    def _plumbing(self, router, inside, gate, pods):
        each, ips = router["id"], self.store.ips
        facts = {("allocated address", pod, each) for pod in pods}
        facts |= {("bridge port", pod, each, ips.get((each, pod)), each) for pod in pods}
        facts |= {("route", pod, each, cidr, ips.get((each, other))) for pod in pods for other in inside
                  for cidr in inside[other] if other != pod}
        if gate:
            facts |= {("route", pod, each, ANYWHERE, ips.get((each, gate))) for pod in pods - {gate}}
        for port in self.held["ports"].values():
            if port["device_owner"] == INTERFACE and port["device_id"] == each:
                facts |= {("remembered interface", self.pod_of("ports", port["id"]), each, ip["ip_address"])
                          for ip in port["fixed_ips"]}
        return facts

    def _floating(self, floating):
        """A port elsewhere stands in the pod of its floating IP."""
        pod, port_id, router = self.pod_of("floatingips", floating["id"]), floating["port_id"], floating["router_id"]
        facts = {("floating IP", pod, floating["id"], port_id, floating["fixed_ip_address"], router)}
        port = self.held["ports"].get(port_id)
        if not port or self.pod_of("ports", port_id) == pod:
            return facts
        network = port["network_id"]
        ips = tuple(sorted(ip["ip_address"] for ip in port["fixed_ips"]))
        facts |= {("shadow of network", pod, network), ("shadow of port", pod, port_id, network, ips),
                  ("known replica", "networks", network, pod), ("known replica", "ports", port_id, pod)}
        for ip in port["fixed_ips"]:
            facts |= {("shadow of subnet", pod, ip["subnet_id"]), ("known replica", "subnets", ip["subnet_id"], pod)}
        inner = next(ip["subnet_id"] for ip in port["fixed_ips"] if ip["ip_address"] == floating["fixed_ip_address"])
        return facts | {("interface on a shadow", pod, router, network, inner, False, router)}

    # What there is

    def found(self):
        """Facts about all that is there and is not the user's own."""
        facts = set()
        for pod, shelves in self.rows.items():
            for kind, look in (("networks", self._network), ("subnets", self._subnet), ("ports", self._port),
                               ("routers", self._router), ("floatingips", self._floating_there)):
                for row in shelves.get(kind, {}).values():
                    facts |= look(pod, row)
        facts |= {("allocated address", pod, router) for router, pod in self.store.ips}
        facts |= {("allocated segment",)} if self.project in self.store.bridges else set()
        facts |= {("known replica", kind, each, pod) for kind, each, pod, local in self.store.replicas
                  if kind != "security-groups"}
        # Of a group there may be one half made, whose request died, until somebody needs it or the group goes.
        facts |= {("replica that is not there", kind, each, pod) for kind, each, pod, local in self.store.replicas
                  if local not in self.all[pod].get(kind, {})
                  and not (local is None and each in self.held["security-groups"])}
        facts |= {("remembered interface", pod, router, ip) for router, pod, ip in self.store.interfaces}
        return facts | {("job", *job) for job in self.store.jobs}

    def _stranger(self, pod, kind, row):
        return {("nobody's", pod, kind, row["id"], row.get("description"), row.get("device_owner"))}

    def _network(self, pod, row):
        mark = row["description"]
        if row["id"] in self.held["networks"]:
            return set()
        if mark == f"tricircle:bridge:{self.project}":
            return {("bridge network", pod, row["provider:segmentation_id"])}
        if mark.startswith("tricircle:"):
            return {("shadow of network", pod, mark.removeprefix("tricircle:"))}
        return self._stranger(pod, "networks", row)

    def _subnet(self, pod, row):
        mark = row["description"]
        if row["id"] in self.held["subnets"]:
            return set()
        if mark == f"tricircle:bridge:{self.project}":
            return {("bridge subnet", pod, row["cidr"])}
        if mark.startswith("tricircle:"):
            return {("shadow of subnet", pod, mark.removeprefix("tricircle:"))}
        return self._stranger(pod, "subnets", row)

    def _port(self, pod, row):
        mark, network = row["description"], self.home_id(pod, "networks", row["network_id"])
        ips = tuple(sorted(ip["ip_address"] for ip in row["fixed_ips"]))
        if row["id"] in self.held["ports"] or (row["device_owner"] in PLUMBED and self._is_plumbed(pod, row)):
            return set()
        device = self.home_id(pod, "routers", row["device_id"]) if row["device_owner"] == INTERFACE else None
        if mark.startswith("tricircle:bridge:"):
            return {("bridge port", pod, mark.removeprefix("tricircle:bridge:"), ips[0], device)}
        if mark.startswith("tricircle:shadow:"):
            subnet = self.home_id(pod, "subnets", row["fixed_ips"][0]["subnet_id"])
            return {("interface on a shadow", pod, mark.removeprefix("tricircle:shadow:"), network, subnet,
                     row["admin_state_up"], device)}
        if mark.startswith("tricircle:"):
            return {("shadow of port", pod, mark.removeprefix("tricircle:"), network, ips)}
        return self._stranger(pod, "ports", row)

    def _is_plumbed(self, pod, row):
        """Neutron's own port for a gateway or a floating IP that is there."""
        return any(row["device_id"] in self.all[pod].get(kind, {}) for kind in ("routers", "floatingips"))

    def _router(self, pod, row):
        each, info = self.home_id(pod, "routers", row["id"]), row["external_gateway_info"]
        facts = {("gateway", pod, each, info["network_id"])} if info else set()
        facts |= {("route", pod, each, route["destination"], route["nexthop"]) for route in row["routes"]}
        if each == row["id"] and each not in self.held["routers"]:
            return facts | self._stranger(pod, "routers", row)
        return facts | ({("replica of router", pod, each, row["name"], row["admin_state_up"])}
                        if each != row["id"] else set())

    def _floating_there(self, pod, row):
        port = row["port_id"] and self.home_id(pod, "ports", row["port_id"])
        router = row["router_id"] and self.home_id(pod, "routers", row["router_id"])
        return {("floating IP", pod, row["id"], port, row["fixed_ip_address"], router)}

    # Security groups

    def _copies(self, pod):
        """{home id: the group in a pod}; of default groups those that the gateway knows."""
        known = {local: each for kind, each, where, local in self.store.replicas
                 if kind == "security-groups" and where == pod}
        found = {}
        for row in self.rows[pod].get("security-groups", {}).values():
            each = self.home_id(pod, "security-groups", row["id"])
            each = known.get(row["id"], each) if row["name"] == "default" else each
            if row["name"] != "default" or each in self.held["security-groups"]:
                found[each] = row
        return found

    def rules(self, routes):
        """(wanted, found) facts about the rules in all copies of the groups.

        Args:
            routes: facts `route` that are wanted.
        """
        wanted, found = set(), set()
        for pod in self.rows:
            copies, used = self._copies(pod), self._groups_in_use(pod)
            locals_ = {row["id"]: each for each, row in copies.items()}
            reached = [ip_network(fact[3]) for fact in routes if fact[1] == pod and fact[3] != ANYWHERE]
            halves = {each for each, row in copies.items() if row["id"] not in used
                      and ("security-groups", each, pod, None) in self.store.replicas}
            for each in copies.keys() - halves:
                wanted |= self._wanted_rules(pod, each, copies, reached)
            for rule in self.rows[pod].get("security-group-rules", {}).values():
                group, named = rule["security_group_id"], rule["remote_group_id"]
                if group in locals_ and locals_[group] not in halves:
                    means = {**rule, "remote_group_id": locals_.get(named, named)}
                    found.add(("rule", pod, locals_[group], *(means[name] for name in MEANING)))
            found |= {("copy of what is gone", pod, each) for each in copies
                      if each not in self.held["security-groups"]}
            found |= {("group in use that is not known", pod, each) for each in used if each not in locals_}
        return wanted, found

    def _groups_in_use(self, pod):
        return {each for port in self.rows[pod].get("ports", {}).values() for each in port["security_groups"]}

    def _wanted_rules(self, pod, group, copies, reached):
        at_home = self.pod_of("security-groups", group) == pod
        own = [rule for rule in self.held["security-group-rules"].values() if rule["security_group_id"] == group]
        facts = {self._rule(pod, group, rule) for rule in own
                 if at_home or not rule["remote_group_id"] or rule["remote_group_id"] in copies}
        for rule in own:
            for address in self._members(pod, rule["remote_group_id"], reached):
                if rule["ethertype"] == "IPv4":
                    facts.add(self._rule(pod, group, {**rule, "remote_group_id": None, "remote_ip_prefix": address}))
        return facts

    def _rule(self, pod, group, rule):
        return ("rule", pod, group, *(rule[name] for name in MEANING))

    def _members(self, pod, group, reached):
        """Addresses of a group's ports in other pods to which a route leads."""
        for port in self.held["ports"].values():
            if group and group in port["security_groups"] and self.pod_of("ports", port["id"]) != pod:
                for ip in port["fixed_ips"]:
                    if any(ip_address(ip["ip_address"]) in net for net in reached):
                        yield ip["ip_address"] + "/32"

    # The verdict

    def differences(self):
        """Lines for a human: what is missing, and what is an orphan."""
        wanted, found = self.wanted(), self.found()
        rules = self.rules([fact for fact in wanted if fact[0] == "route"])
        wanted, found = wanted | rules[0], found | rules[1]
        return sorted([f"missing: {fact}" for fact in wanted - found] + [f"orphan: {fact}" for fact in found - wanted])


class Store:
    """What the store says of a project, with the pods' names.

    Args:
        gateway: its database is read.
        project: id.
        before: rows of interfaces that are not his.
    """

    def __init__(self, gateway, project, before):
        rows = gateway.store()
        names = {row[0]: row[1] for row in rows["pods"]}
        self.bridges = {owner: (vlan, cidr) for owner, vlan, cidr, _ in rows["bridges"]}
        self.ips = {(router, names[pod]): ip for router, pod, owner, ip, _ in rows["bridge_ips"] if owner == project}
        self.replicas = [(kind, each, names[pod], local) for each, pod, kind, owner, local, *_ in rows["replicas"]
                         if owner == project]
        self.interfaces = [(router, names[pod], ip) for router, pod, subnet, ip in rows["interfaces"]
                           if (router, pod, subnet, ip) not in before]
        # One that is `failed` has left what it did not do to a newer one.
        self.jobs = [(row[1], row[2], row[4], row[-1]) for row in rows["jobs"]
                     if row[4] in ("queued", "running", "dead")]
