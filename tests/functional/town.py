"""A project with a router over two pods and servers, as the tests of security groups' members see it."""
from tests.functional.gateway import until
from tests.functional.scene import PATIENCE, Scene
from tests.functional.user import User


class Town(Scene):
    """A project with a router over two pods, and servers."""

    def __init__(self, cloud, gateway):
        super().__init__(cloud, gateway)
        self.who = User(gateway, self.token)
        self.nets = {pod: self.user.ok("GET", f"/subnets/{subnet}")["subnet"]["network_id"]
                     for pod, subnet in self.subnets.items()}

    def boot(self, pod, **fields):
        """A server in a pod."""
        return self.who.boot(self.nets[pod], f"az{pod[-1]}", **fields)

    def address(self, server):
        """Of a server's port, as a rule has it."""
        (port,) = self.user.ok("GET", f"/ports?device_id={server}")["ports"]
        return port["fixed_ips"][0]["ip_address"] + "/32"

    def marked(self, pod, name="default"):
        """Rules for members elsewhere in a pod's group: {(protocol, address)}."""
        network = self.cloud[pod].network
        mine = {row["id"] for row in network.shelf("security-groups").values()
                if row["project_id"] == self.token.project.id and row["name"] == name}
        return {(rule["protocol"], rule["remote_ip_prefix"]) for rule in network.shelf("security-group-rules").values()
                if rule["security_group_id"] in mine and rule["description"].startswith("tricircle:member:")}

    def until_marked(self, name="default", **wanted):
        """Wait until the pods' groups have exactly these rules for members elsewhere."""
        until(lambda: all(self.marked(pod, name) == rules for pod, rules in wanted.items()), PATIENCE)

    def member_jobs(self):
        """Jobs for the project's members, newest first."""
        return [job for job in self.admin.ok("GET", "/jobs?kind=members")["jobs"]
                if job["resource_id"] == self.token.project.id]

    def at_rest(self):
        """Wait until no job for the members is owed."""
        until(lambda: all(job["state"] == "done" for job in self.member_jobs()), PATIENCE)
