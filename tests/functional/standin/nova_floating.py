"""Nova's old proxies to Neutron's networks and floating addresses; gone from microversion 2.36 on."""
from tests.functional.standin import checks as c
from tests.functional.standin.web import Refused, Response

GONE = (2, 36)


class FloatingProxies:
    """Mixed into `Nova`."""

    def floating_table(self, v):
        """Routes."""
        return [("GET", f"{v}/os-networks", self.network_list), ("GET", f"{v}/os-networks/{{id}}", self.network_show),
                ("GET", f"{v}/os-tenant-networks", self.network_list),
                ("GET", f"{v}/os-tenant-networks/{{id}}", self.network_show),
                ("GET", f"{v}/os-floating-ip-pools", self.floating_pools),
                ("GET", f"{v}/os-floating-ips", self.floating_list),
                ("POST", f"{v}/os-floating-ips", self.floating_create),
                ("GET", f"{v}/os-floating-ips/{{id}}", self.floating_show),
                ("DELETE", f"{v}/os-floating-ips/{{id}}", self.floating_delete)]

    @staticmethod
    def _there(request):
        if request.version >= GONE:
            raise Refused(404, "The resource could not be found.")

    def _networks(self, request):
        self._there(request)
        return {id: {"id": id, "label": row["name"], "cidr": None}
                for id, row in self.pod.network.shelf("networks").items()
                if self.pod.network.may_see(request.who, "networks", row)}

    def network_list(self, request):
        """GET os-networks, os-tenant-networks."""
        return Response(200, {"networks": list(self._networks(request).values())})

    def network_show(self, request, id):
        """GET one."""
        found = self._networks(request).get(id)
        if not found:
            raise Refused(404, f"Network {id} could not be found.")
        return Response(200, {"network": found})

    def _pools(self, who):
        network = self.pod.network
        return {n["id"]: n["name"] for n in network.shelf("networks").values()
                if n["router:external"] and network.may_see(who, "networks", n)}

    def _floating_view(self, who, row):
        return {"id": row["id"], "ip": row["floating_ip_address"], "fixed_ip": row["fixed_ip_address"],
                "instance_id": None, "pool": self._pools(who).get(row["floating_network_id"])}

    def floating_pools(self, request):
        """GET os-floating-ip-pools."""
        self._there(request)
        names = [{"name": name or id} for id, name in self._pools(request.who).items()]
        return Response(200, {"floating_ip_pools": names})

    def floating_list(self, request):
        """GET os-floating-ips."""
        self._there(request)
        rows = [row for row in self.pod.network.shelf("floatingips").values()
                if row["project_id"] == request.who.project.id]
        return Response(200, {"floating_ips": [self._floating_view(request.who, row) for row in rows]})

    def _floating(self, request, id):
        self._there(request)
        row = self.pod.network.shelf("floatingips").get(id)
        if row is None or row["project_id"] != request.who.project.id:
            raise Refused(404, f"Floating IP not found for ID {id}")
        return row

    def floating_show(self, request, id):
        """GET one."""
        return Response(200, {"floating_ip": self._floating_view(request.who, self._floating(request, id))})

    def floating_create(self, request):
        """POST: `pool` is an external network's name or id; without one, the first is taken."""
        self._there(request)
        given = self.checked(c.fields(pool=c.nullable(c.text(255))), self.body(request) if request.raw else {})
        wanted, pools = given.get("pool"), self._pools(request.who)
        found = [id for id, name in pools.items() if wanted in (None, id, name)]
        if not found:
            raise Refused(404, f"Floating IP pool {wanted} not found." if wanted else "Floating IP pool not found.")
        row = self.pod.network.make(request.who, "floatingips", {"floating_network_id": found[0]})
        return Response(200, {"floating_ip": self._floating_view(request.who, row)})

    def floating_delete(self, request, id):
        """DELETE."""
        row = self._floating(request, id)
        network = self.pod.network
        network.deleted_floatingips(request.who, row)
        del network.shelf("floatingips")[id]
        return Response(202)
