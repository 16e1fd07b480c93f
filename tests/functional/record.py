"""Record what real services answer, for the stand-ins: `python -m tests.functional.record --cloud Pod2 --where Zed`.

Needs a clouds.yaml with an administrator (OS_CLIENT_CONFIG_FILE). Works in a project of its own, removed at the end.
Ids, addresses, host names and passwords are blanked before anything is written.
"""
import argparse
import base64
import contextlib
import datetime
import json
import re
import secrets
import time
from pathlib import Path

import openstack

from tests.functional.client import Client
from tests.functional.refusals import PROBES, kind_of

FOLDER = Path(__file__).parent / "recorded"
BLANKS = [(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-0000-0000-000000000000"),
          (r"\b[0-9a-f]{32}\b", "0" * 32), (r"\b[0-9a-f]{56}\b", "0" * 56), (r"\b10\.250\.\d+\.\d+\b", "192.0.2.1"),
          (r"\bnode\d\b", "node"), (r"recorder-[0-9a-f]{8}", "recorded"),
          (r"fa:16:3e(:[0-9a-f]{2}){3}", "fa:16:3e:00:00:00")]
KEY = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
NAMES = ("network", "subnet", "port", "router", "security_group", "security_group_rule", "floatingip", "subnetpool")


class Recorder:
    """Two users of one fresh project, an administrator and a member, at one pod's three services.

    Args:
        cloud: name in clouds.yaml.
    """

    def __init__(self, cloud: str):
        self.admin = openstack.connect(cloud=cloud)
        self.undo = contextlib.ExitStack()
        self.project = self.admin.identity.create_project(name=f"recorder-{secrets.token_hex(4)}", domain_id="default")
        self.undo.callback(self.admin.identity.delete_project, self.project)
        self.undo.callback(self._remove_groups)
        # Two users: a role that is granted later would hold for the tokens that are there already, too.
        self.member, self.boss = self._user("member"), self._user("admin")
        self.answers: dict[str, dict] = {"network": {}, "compute": {}, "volume": {}}
        self.ids: dict[str, str] = {"project": self.project.id}

    def _remove_groups(self) -> None:
        """Neutron has made the project a default group, which does not go with the project."""
        for group in self.admin.network.security_groups(project_id=self.project.id):
            self.admin.network.delete_security_group(group)

    def _user(self, role: str) -> dict[str, Client]:
        identity, password = self.admin.identity, secrets.token_urlsafe(24)
        user = identity.create_user(name=f"{self.project.name}-{role}", password=password, domain_id="default",
                                    default_project_id=self.project.id)
        self.undo.callback(identity.delete_user, user)
        identity.assign_project_role_to_user(self.project, user, identity.find_role(role))
        return self._clients(self._token(user.id, password))

    def _token(self, user: str, password: str) -> str:
        auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": password}}},
                "scope": {"project": {"id": self.project.id}}}
        url = self.admin.session.auth.auth_url.rstrip("/")
        answer = Client(url).post("/auth/tokens" if url.endswith("/v3") else "/v3/auth/tokens", {"auth": auth})
        return answer.headers["X-Subject-Token"]

    def _clients(self, token: str) -> dict[str, Client]:
        found = {}
        for service, version in (("compute", "/v2.1"), ("volume", "/v3"), ("network", "/v2.0")):
            kind = {"volume": "block-storage"}.get(service, service)
            root = re.sub(r"/v\d.*", "", self.admin.endpoint_for(kind) or self.admin.endpoint_for("volumev3"))
            project = f"/{self.project.id}" if service == "volume" else ""
            found[service] = Client(root.rstrip("/") + version + project, token, 120)
        return found

    def make(self, who: dict, service: str, path: str, member: str, body: dict, name: str = "") -> dict:
        """Create something that is removed again at the end; its answer."""
        made = who[service].ok("POST", path, {member: body})[member]
        self.ids[name or member] = made.get("id", made.get("name"))
        self.undo.callback(self._remove, who[service], f"{path}/{self.ids[name or member]}")
        return made

    def settled(self, service: str, path: str, member: str, status: str) -> dict:
        """A member once it has a status."""
        for _ in range(120):
            found = self.member[service].ok("GET", path)[member]
            if found["status"] == status:
                return found
            assert found["status"] != "ERROR", found
            time.sleep(1)
        raise AssertionError(f"{path} is not {status}")

    # What is recorded

    def network(self) -> None:
        """One of each as Neutron makes it of the smallest body; what only an administrator sees."""
        both, kept = (self.member, self.boss), self.answers["network"]
        make = self.make
        make(self.member, "network", "/networks", "network", {})
        make(self.member, "network", "/subnets", "subnet",
             {"network_id": self.ids["network"], "ip_version": 4, "cidr": "10.0.0.0/24"})
        make(self.member, "network", "/ports", "port", {"network_id": self.ids["network"]})
        make(self.member, "network", "/routers", "router", {})
        make(self.member, "network", "/security-groups", "security_group", {"name": "g"})
        make(self.member, "network", "/security-group-rules", "security_group_rule",
             {"security_group_id": self.ids["security_group"], "direction": "ingress"})
        make(self.member, "network", "/subnetpools", "subnetpool", {"name": "p", "prefixes": ["10.9.0.0/16"]})
        outside = {"router:external": True, "provider:network_type": "vlan", "provider:physical_network": "extern",
                   "provider:segmentation_id": 3999}
        make(self.boss, "network", "/networks", "network", outside, "external")
        make(self.boss, "network", "/subnets", "subnet",
             {"network_id": self.ids["external"], "ip_version": 4, "cidr": "198.51.100.0/24"}, "outside")
        make(self.member, "network", "/floatingips", "floatingip", {"floating_network_id": self.ids["external"]})
        kept["admin_only"] = {}
        for name in NAMES:
            path = f"/{name.replace('_', '-')}s/{self.ids[name]}"
            plain, full = (who["network"].ok("GET", path)[name] for who in both)
            kept[name] = full
            kept["admin_only"][name] = sorted(full.keys() - plain.keys())
        kept["extensions"] = self.member["network"].ok("GET", "/extensions")["extensions"]
        for name in ("availability_zones", "agents"):
            kept[name] = self.boss["network"].ok("GET", f"/{name}")[name]
        kept["quota"] = self.boss["network"].ok("GET", f"/quotas/{self.project.id}")["quota"]

    def volume(self) -> None:
        """A volume as created, shown, and shown to an administrator; a type and a snapshot."""
        kept = self.answers["volume"]
        kept["quota_set"] = {name: limit for name, limit in self.boss["volume"].ok(
            "GET", f"/os-quota-sets/{self.project.id}")["quota_set"].items() if "___DEFAULT__" not in name}
        kept["volume"] = self.make(self.member, "volume", "/volumes", "volume", {"size": 1})
        path = f"/volumes/{self.ids['volume']}"
        shown = self.settled("volume", path, "volume", "available")
        full = self.boss["volume"].ok("GET", path)["volume"]
        kept["volume_show"] = {name: shown[name] for name in shown.keys() - kept["volume"].keys()}
        kept["volume_admin"] = {name: full[name] for name in full.keys() - shown.keys()}
        kept["volume_type"] = self.member["volume"].ok("GET", "/types/default")["volume_type"]
        made = self.make(self.boss, "volume", "/types", "volume_type", {"name": f"t-{self.project.name}"}, "type")
        kept["volume_type"] |= {name: made[name] for name in made if name not in kept["volume_type"]}
        self.make(self.member, "volume", "/snapshots", "snapshot", {"volume_id": self.ids["volume"]})
        kept["snapshot"] = self.settled("volume", f"/snapshots/{self.ids['snapshot']}", "snapshot", "available")
        kept["limits"] = self.member["volume"].ok("GET", "/limits")["limits"]
        kept["services"] = self.boss["volume"].ok("GET", "/os-services")["services"]

    def compute(self) -> None:
        """A server at the lowest and the highest microversion; what only an administrator sees."""
        kept, latest = self.answers["compute"], {"OpenStack-API-Version": "compute 2.93"}
        flavor = {"name": self.project.name, "ram": 96, "vcpus": 1, "disk": 1}
        kept["flavor"] = self.make(self.boss, "compute", "/flavors", "flavor", flavor)
        kept["keypair"] = self.make(self.member, "compute", "/os-keypairs", "keypair",
                                    {"name": "k", "public_key": f"ssh-ed25519 {KEY} x"}) | {"type": "ssh"}
        kept["server_group"] = self.make(self.member, "compute", "/os-server-groups", "server_group",
                                         {"name": "g", "policies": ["anti-affinity"]})
        kept["aggregate"] = {**self.make(self.boss, "compute", "/os-aggregates", "aggregate",
                                         {"name": self.project.name})}
        kept["aggregate"] |= self.boss["compute"].ok("GET", f"/os-aggregates/{self.ids['aggregate']}")["aggregate"]
        self.ids["image"] = next(iter(self.admin.image.images())).id
        body = {"name": "s", "flavorRef": self.ids["flavor"], "imageRef": self.ids["image"],
                "networks": [{"uuid": self.ids["network"]}]}
        self.make(self.member, "compute", "/servers", "server", body)
        path = f"/servers/{self.ids['server']}"
        kept["server"] = self.settled("compute", path, "server", "ACTIVE")
        full = self.boss["compute"].ok("GET", path)["server"]
        kept["server_admin"] = {name: full[name] for name in full.keys() - kept["server"].keys()}
        kept["server_latest"] = self.member["compute"].ok("GET", path, headers=latest)["server"]
        attached = self.member["compute"].ok("POST", f"{path}/os-volume_attachments",
                                             {"volumeAttachment": {"volumeId": self.ids["volume"]}})
        kept["volumeAttachment"] = attached["volumeAttachment"]
        self.settled("volume", f"/volumes/{self.ids['volume']}", "volume", "in-use")
        kept["hypervisor"] = self.boss["compute"].ok("GET", "/os-hypervisors/detail")["hypervisors"][0]
        kept["limits"] = self.member["compute"].ok("GET", "/limits")["limits"]
        kept["quota_set"] = self.boss["compute"].ok("GET", f"/os-quota-sets/{self.project.id}")["quota_set"]
        kept["services"] = self.boss["compute"].ok("GET", "/os-services")["services"]

    @staticmethod
    def _remove(client: Client, path: str) -> None:
        """Deleting takes its time, and waits for what hangs on the thing (a snapshot, an attachment)."""
        for _ in range(120):
            client.delete(path)
            if client.get(path).status == 404:
                return
            time.sleep(1)
        print(f"left behind: {client.url}{path}")

    def refusals(self) -> list[dict]:
        """How the services refuse what refusals.py asks of them."""
        found = []
        for who, service, method, path, body in PROBES:
            clients = self.member if who == "member" else self.boss
            filled = json.loads(re.sub(r"\{(\w+)\}", lambda m: self.ids.get(m[1], m[0]), json.dumps([path, body])))
            answer = clients[service].call(method, filled[0], filled[1])
            assert answer.status >= 400, f"{who} {method} {path} was accepted: clean it up and mend the table"
            found.append({"who": who, "service": service, "method": method, "path": path, "body": body,
                          "status": answer.status, "kind": kind_of(answer)})
        return found


def blank(document: object) -> object:
    """The document without anything that belongs to the place where it was recorded."""
    text = json.dumps(document)
    for pattern, replacement in BLANKS:
        text = re.sub(pattern, replacement, text)
    return json.loads(text)


def main() -> None:
    """Record and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.functional.record", description=__doc__)
    parser.add_argument("--cloud", required=True, help="in clouds.yaml; its region must have a physical network extern")
    parser.add_argument("--where", required=True, help="one line about the place: release, back ends")
    args = parser.parse_args()
    recorder = Recorder(args.cloud)
    with recorder.undo:
        recorder.network()
        recorder.volume()
        recorder.compute()
        recorder.answers["refusals"] = recorder.refusals()
    about = {"where": args.where, "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")}
    for name, answers in recorder.answers.items():
        kept = answers if name == "refusals" else blank(answers)
        text = json.dumps({"about": about, "answers": kept}, indent=1, sort_keys=True)
        (FOLDER / f"{name}.json").write_text(text + "\n")
        print(f"{FOLDER / name}.json")


if __name__ == "__main__":
    main()
