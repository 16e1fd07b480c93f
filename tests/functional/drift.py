"""`tricircle drift` as an operator runs it, and damage done to pods behind the gateway's back."""
import json
import subprocess

from tests.functional.gateway import TRICIRCLE


def drift(gateway, *options):
    """(exit code, report) of the command."""
    done = subprocess.run([TRICIRCLE, "drift", "--config-file", gateway.conf, "--format", "json", *options],
                          capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def words(report, key="differences"):
    """{(pod, text)} of a report."""
    return {(each["pod"], each["difference"]) for each in report[key]}


class Damage:
    """Things done directly in Pod2, where a scene has its replica."""

    def __init__(self, scene):
        self.scene, self.network = scene, scene.cloud["Pod2"].network
        (self.replica,) = scene.rows("Pod2", "routers", f"tricircle:{scene.router}")
        # A mark on something of the user's own is no plumbing.
        (self.bridge,), (self.subnet,), (self.port,) = (
            [row for row in rows if row["project_id"] != scene.token.project.id] for rows in scene.bridge("Pod2"))
        self.here, self.there = scene.ip("Pod2"), scene.ip("Pod1")

    def _pop(self, shelf, *rows):
        for row in rows:
            self.network.shelf(shelf).pop(row["id"])

    def delete_a_route(self):
        self.replica["routes"] = [route for route in self.replica["routes"] if route["nexthop"] != self.there]
        return f"route {self.scene.cidr('Pod1')} via {self.there} is missing"

    def delete_the_bridge_port(self):
        self._pop("ports", self.port)
        return f"the bridge port {self.here} is missing"

    def delete_the_bridge_network(self):
        self._pop("ports", self.port)
        self._pop("subnets", self.subnet)
        self._pop("networks", self.bridge)
        return "the bridge network is missing"

    def change_the_segment(self):
        was, self.bridge["provider:segmentation_id"] = self.bridge["provider:segmentation_id"], 3999
        return f"the bridge network has VLAN 3999 instead of {was}"

    def detach_the_bridge_port(self):
        self.port |= {"device_id": "", "device_owner": ""}
        return f"the bridge port {self.here} is not attached to the router"

    def detach_the_users_interface(self):
        self._pop("ports", *[port for port in self.network.ports_of(self.replica) if port is not self.port])
        cidr = self.scene.cidr("Pod2")
        return f"the interface {cidr.replace('0/24', '1')} on {cidr} is missing"

    def delete_the_replica(self):
        self._pop("ports", *self.network.ports_of(self.replica))
        self._pop("routers", self.replica)
        cidr = self.scene.cidr("Pod2")
        return f"the router's replica is missing, and with it its interfaces {cidr.replace('0/24', '1')}"
