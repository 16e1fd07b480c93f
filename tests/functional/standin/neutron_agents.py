"""An L3 agent, and the routers that an administrator puts on it."""
from tests.functional.standin.service import new_id
from tests.functional.standin.web import Refused, Response


class Agents:
    """Mixed into `Neutron`."""

    def agents_table(self):
        """Routes of the agent."""
        path = "/v2.0/agents/{id}"
        return [("GET", path, self.agent), ("GET", f"{path}/l3-routers", self.on_agent),
                ("POST", f"{path}/l3-routers", self.to_agent)]

    def l3_agent(self) -> dict:
        """The pod's agent."""
        shelf = self.shelf("agents")
        return next(iter(shelf.values()), None) or shelf.setdefault(id := new_id(), {
            "id": id, "binary": "neutron-l3-agent", "agent_type": "L3 agent", "host": "host", "routers": []})

    def _agent(self, request, id):
        agent = self.l3_agent()
        if not request.who.admin or agent["id"] != id:
            raise Refused(404, f"Agent {id} could not be found.", "AgentNotFound")
        return agent

    def agent(self, request, id):
        """GET of one."""
        return Response(200, {"agent": {name: value for name, value in self._agent(request, id).items()
                                        if name != "routers"}})

    def on_agent(self, request, id):
        """GET of its routers."""
        routers = self._agent(request, id)["routers"]
        return Response(200, {"routers": [self.shelf("routers")[each] for each in routers]})

    def to_agent(self, request, id):
        """POST of a router's id."""
        agent, router = self._agent(request, id), self.body(request).get("router_id")
        self.find("routers", router, f"Router {router} could not be found", "RouterNotFound")
        agent["routers"].append(router)
        return Response(201, None)
