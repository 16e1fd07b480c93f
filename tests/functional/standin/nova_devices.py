"""What is plugged into a server: ports, volumes, consoles."""
import copy
import re

from tests.functional.standin import checks as c
from tests.functional.standin.service import new_id
from tests.functional.standin.web import Refused, Response

ATTACHMENT = c.fields(("volumeId",), volumeId=c.identifier, device=c.nullable(c.text(255, 1, r"^/dev/[a-z]+\d*$")),
                      tag=c.text(60), delete_on_termination=c.boolean)
INTERFACE = c.fields(net_id=c.identifier, port_id=c.identifier, tag=c.text(60, 1, "^[^,/]*$"),
                     fixed_ips=c.many(c.fields(("ip_address",), ip_address=c.address), 1, least=1))
ATTACHABLE = ("active", "paused", "stopped")


class Devices:
    """Mixed into `Nova`."""

    def device_table(self, v):
        """Routes."""
        one = f"{v}/servers/{{id}}"
        return [("GET", one + "/os-volume_attachments", self.attachments),
                ("POST", one + "/os-volume_attachments", self.attach),
                ("GET", one + "/os-volume_attachments/{volume}", self.attachment),
                ("DELETE", one + "/os-volume_attachments/{volume}", self.detach),
                ("GET", one + "/os-interface", self.interfaces), ("POST", one + "/os-interface", self.interface_attach),
                ("GET", one + "/os-interface/{port}", self.interface),
                ("DELETE", one + "/os-interface/{port}", self.interface_detach),
                ("GET", one + "/os-security-groups", self.server_groups_of),
                ("GET", one + "/ips", self.addresses), ("GET", one + "/diagnostics", self.diagnostics),
                ("GET", one + "/os-instance-actions", self.instance_actions),
                ("POST", one + "/remote-consoles", self.remote_console)]

    def ports_of_server(self, row):
        """A server's ports."""
        return [port for port in self.pod.network.shelf("ports").values() if port["device_id"] == row["id"]]

    def plug(self, request, row, wanted):
        """Make or take the ports that a create asks for."""
        if wanted == "none":
            return
        if wanted == "auto":
            wanted = self._only_network(request)
        for each in wanted:
            self._plug_one(request, row, each)

    def _only_network(self, request):
        network = self.pod.network
        mine = [n for n in network.shelf("networks").values() if n["project_id"] == request.who.project.id
                or (n["shared"] and not n["router:external"])]
        if len(mine) > 1:
            raise Refused(409, "Multiple possible networks found, use a Network ID to be more specific.")
        return [{"uuid": n["id"]} for n in mine]

    def _plug_one(self, request, row, wanted):
        network, who = self.pod.network, request.who
        owner = {"device_id": row["id"], "device_owner": f"compute:{row['OS-EXT-AZ:availability_zone']}"}
        try:
            if wanted.get("port"):
                port = network.own(who, "ports", wanted["port"])
                if port["device_id"]:
                    raise Refused(400, f"Port {port['id']} is still in use.")
                port |= {**owner, "status": "ACTIVE", "binding:host_id": "node"}
                port["_kept"] = True
                return port
            network.own(who, "networks", wanted.get("uuid", ""))
            body = {"network_id": wanted["uuid"], **owner}
            if request.__dict__.get("groups"):
                body["security_groups"] = request.groups
            if wanted.get("fixed_ip"):
                body["fixed_ips"] = [{"ip_address": wanted["fixed_ip"]}]
            return network.make(who, "ports", body)
        except Refused as refused:
            raise Refused(400 if refused.status == 404 else refused.status, refused.message) from None

    def unplug(self, row):
        """The ports Nova made go; the user's own are free again."""
        for port in self.ports_of_server(row):
            if port.get("_kept"):
                port |= {"device_id": "", "device_owner": "", "status": "DOWN", "binding:host_id": ""}
            else:
                self.pod.network.release(port)
                del self.pod.network.shelf("ports")[port["id"]]
        for id, each in list(self.shelf("attachments").items()):
            if each["serverId"] == row["id"]:
                self.pod.volume.detached(each["volumeId"])
                del self.shelf("attachments")[id]

    # Volumes

    def attachments(self, request, id):
        """GET os-volume_attachments."""
        row = self.own_server(request, id)
        rows = [a for a in self.shelf("attachments").values() if a["serverId"] == row["id"]]
        return Response(200, {"volumeAttachments": rows})

    def attach(self, request, id):
        """POST os-volume_attachments."""
        row = self.own_server(request, id)
        given = self.checked(ATTACHMENT, self.member(request, "volumeAttachment"))
        volume = self.pod.volume.shelf("volumes").get(given["volumeId"])
        if volume is None or volume["os-vol-tenant-attr:tenant_id"] != row["tenant_id"]:
            raise Refused(404, f"Volume {given['volumeId']} could not be found.")
        if volume["status"] not in ("available", "creating"):
            raise Refused(400, f"Invalid volume: volume {volume['id']} status must be 'available'.")
        taken = len([a for a in self.shelf("attachments").values() if a["serverId"] == row["id"]])
        device = given.get("device") or f"/dev/vd{chr(ord('b') + taken)}"
        entry = copy.deepcopy(self.templates["volumeAttachment"])
        entry |= {"id": volume["id"], "volumeId": volume["id"], "serverId": row["id"], "device": device}
        self.shelf("attachments")[new_id()] = entry
        self.pod.volume.attached(volume["id"], row["id"], device)
        return Response(200, {"volumeAttachment": entry})

    def _attachment(self, request, id, volume):
        self.own_server(request, id)
        for key, each in self.shelf("attachments").items():
            if each["serverId"] == id and each["volumeId"] == volume:
                return key, each
        raise Refused(404, f"Instance {id} is not attached to volume {volume}")

    def attachment(self, request, id, volume):
        """GET one attachment."""
        return Response(200, {"volumeAttachment": self._attachment(request, id, volume)[1]})

    def detach(self, request, id, volume):
        """DELETE an attachment."""
        key, _ = self._attachment(request, id, volume)
        del self.shelf("attachments")[key]
        self.pod.volume.detached(volume)
        return Response(202)

    # Ports

    @staticmethod
    def _interface_view(port):
        return {"port_id": port["id"], "net_id": port["network_id"], "mac_addr": port["mac_address"],
                "port_state": port["status"], "fixed_ips": port["fixed_ips"]}

    def interfaces(self, request, id):
        """GET os-interface."""
        row = self.own_server(request, id)
        return Response(200, {"interfaceAttachments": [self._interface_view(p) for p in self.ports_of_server(row)]})

    def interface_attach(self, request, id):
        """POST os-interface."""
        row = self.own_server(request, id)
        given = self.checked(INTERFACE, self.member(request, "interfaceAttachment"))
        if "tag" in given and request.version < (2, 49):
            raise Refused(400, "Invalid input for field/attribute interfaceAttachment. Additional properties are not "
                               "allowed ('tag' was unexpected)")
        if row.get("_locked") and not request.who.admin:
            raise Refused(409, f"Instance {id} is locked")
        if row["OS-EXT-STS:vm_state"] not in ATTACHABLE:
            raise Refused(409, f"Cannot 'attach_interface' instance {id} while it is in vm_state "
                               f"{row['OS-EXT-STS:vm_state']}")
        wanted = {"port": given.get("port_id")} if "port_id" in given else {"uuid": given.get("net_id", "")}
        return Response(200, {"interfaceAttachment": self._interface_view(self._plug_one(request, row, wanted))})

    def _port(self, request, id, port):
        for each in self.ports_of_server(self.own_server(request, id)):
            if each["id"] == port:
                return each
        raise Refused(404, f"Port id {port} could not be found.")

    def interface(self, request, id, port):
        """GET one interface."""
        return Response(200, {"interfaceAttachment": self._interface_view(self._port(request, id, port))})

    def interface_detach(self, request, id, port):
        """DELETE an interface."""
        found = self._port(request, id, port)
        del self.pod.network.shelf("ports")[found["id"]]
        return Response(202)

    # The rest

    def server_groups_of(self, request, id):
        """GET os-security-groups of a server."""
        network = self.pod.network
        ids = {each for port in self.ports_of_server(self.own_server(request, id)) for each in port["security_groups"]}
        rows = [network.shelf("security-groups")[each] for each in sorted(ids)]
        return Response(200, {"security_groups": [
            {**{name: row[name] for name in ("id", "name", "description", "tenant_id")}, "rules": self._rules(row)}
            for row in rows]})

    def _rules(self, group):
        """As Nova shows them: ingress only, and of a rule's source the name or the range."""
        shelves = self.pod.network.shelf
        return [{"id": rule["id"], "parent_group_id": group["id"], "ip_protocol": rule["protocol"],
                 "from_port": rule["port_range_min"], "to_port": rule["port_range_max"],
                 "ip_range": {} if rule["remote_group_id"] else {"cidr": rule["remote_ip_prefix"] or "0.0.0.0/0"},
                 "group": {"name": shelves("security-groups")[rule["remote_group_id"]]["name"],
                           "tenant_id": group["tenant_id"]} if rule["remote_group_id"] else {}}
                for rule in shelves("security-group-rules").values()
                if rule["security_group_id"] == group["id"] and rule["direction"] == "ingress"]

    def addresses(self, request, id):
        """GET ips."""
        return Response(200, {"addresses": self._addresses_of(self.own_server(request, id))})

    def diagnostics(self, request, id):
        """GET diagnostics."""
        self.admin(request, "os_compute_api:os-server-diagnostics")
        self.own_server(request, id)
        return Response(200, {"memory": 524288, "vda_read": 0})

    def instance_actions(self, request, id):
        """GET os-instance-actions."""
        row = self.own_server(request, id)
        return Response(200, {"instanceActions": [{
            "action": "create", "instance_uuid": id, "message": None, "project_id": row["tenant_id"],
            "request_id": "req-00000000-0000-0000-0000-000000000000", "start_time": f"{row['created'][:-1]}.000000",
            "user_id": row["user_id"]}]})

    def console_url(self, row):
        """noVNC of this pod."""
        host = re.sub(r":\d+$", "", self.server.url)
        return f"{host}:6080/vnc_lite.html?path=%3Ftoken%3D{row['id']}"

    def remote_console(self, request, id):
        """POST remote-consoles."""
        row = self.own_server(request, id)
        check = c.fields(("protocol", "type"), protocol=c.one_of("vnc", "serial", "spice", "rdp", "mks"), type=c.one_of(
            "novnc", "xvpvnc", "serial", "spice-html5", "rdp-html5", "webmks"))
        given = self.checked(check, self.member(request, "remote_console"))
        return Response(200, {"remote_console": {**given, "url": self.console_url(row)}})
