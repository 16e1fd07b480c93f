"""Auto-allocated topologies: a network for a project that says nothing about networks."""
from tests.functional.standin.web import Refused, Response


class Topologies:
    """Mixed into `Neutron`."""

    allocates = False   # whether there are a default external network and a default pool

    def topologies_table(self):
        """Its routes."""
        path = "/v2.0/auto-allocated-topology/{project}"
        return [("GET", path, self.topology), ("DELETE", path, self.no_topology)]

    def topology(self, request, project):
        """GET makes it, as Neutron does; `fields=dry-run` only asks whether it could."""
        if not self.allocates:
            raise Refused(409, "Deployment error: No default router:external network.", "AutoAllocationFailure")
        if request.arg("fields") == "dry-run":
            return Response(200, {"auto_allocated_topology": {"id": "dry-run=pass", "tenant_id": project}})
        mine = [row for row in self.shelf("networks").values() if row.get("_topology") == project]
        network = mine[0] if mine else self.put("networks", project, {"name": "auto_allocated_network"})
        network["_topology"] = project
        return Response(200, {"auto_allocated_topology": {"id": network["id"], "tenant_id": project}})

    def no_topology(self, _, project):
        """DELETE: 204 also where there is none, and 409 where there can be none."""
        if not self.allocates:
            raise Refused(409, "Deployment error: No default router:external network.", "AutoAllocationFailure")
        for row in [row for row in self.shelf("networks").values() if row.get("_topology") == project]:
            if any(port["network_id"] == row["id"] for port in self.shelf("ports").values()):
                raise Refused(409, f"Unable to complete operation on network {row['id']}. There are one or more ports "
                                   "still in use on the network.", "NetworkInUse")
            del self.shelf("networks")[row["id"]]
        return Response(204)
