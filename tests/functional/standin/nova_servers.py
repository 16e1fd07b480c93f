"""Servers: create, list, show, update, delete and the actions on them."""
import copy

from tests.functional.standin import checks as c
from tests.functional.standin.microversioned import newest_first
from tests.functional.standin.service import new_id, ordered, stamp
from tests.functional.standin.web import Refused, Response

METADATA = c.mapping(0, c.text(255))
NIC = c.fields(uuid=c.identifier, port=c.nullable(c.identifier), fixed_ip=c.address, tag=c.text(60))
HINTS = c.fields(open_ended=True)
SERVER = c.fields(
    ("name", "flavorRef"), name=c.text(255, 1), flavorRef=c.either(c.text(255, 1), c.integer(0)),
    imageRef=c.either(c.one_of(""), c.identifier), availability_zone=c.text(255, 1), key_name=c.text(255, 1),
    networks=c.either(c.one_of("auto", "none"), c.many(NIC)),
    security_groups=c.many(c.fields(name=c.text(255, 1))), metadata=METADATA, user_data=c.nullable(c.text(65535)),
    min_count=c.integer(1), max_count=c.integer(1), config_drive=c.boolean, adminPass=c.text(255),
    OS_DCF__diskConfig=c.one_of("AUTO", "MANUAL"), description=c.nullable(c.text(255)), tags=c.many(c.text(60, 1), 50),
    accessIPv4=c.text(), accessIPv6=c.text(), return_reservation_id=c.boolean, host=c.text(),
    hypervisor_hostname=c.text(),
    personality=c.many(c.fields(("path", "contents"), path=c.text(255), contents=c.text(65535)), 5),
    block_device_mapping_v2=c.many(c.anything), block_device_mapping=c.many(c.anything),
    os__scheduler_hints=HINTS, trusted_image_certificates=c.nullable(c.many(c.text(), 50)), hostname=c.text(255, 1))
UPDATE = c.fields(name=c.text(255, 1), accessIPv4=c.text(), accessIPv6=c.text(), OS_DCF__diskConfig=c.one_of(
    "AUTO", "MANUAL"), description=c.nullable(c.text(255)), hostname=c.text(255, 1))
# action: (statuses in which it is allowed or None, status afterwards or None, code of the answer)
ACTIONS = {
    "os-start": (("SHUTOFF",), "ACTIVE", 202), "os-stop": (("ACTIVE", "ERROR"), "SHUTOFF", 202),
    "reboot": (("ACTIVE", "SHUTOFF"), "ACTIVE", 202), "pause": (("ACTIVE",), "PAUSED", 202),
    "unpause": (("PAUSED",), "ACTIVE", 202), "suspend": (("ACTIVE", "SHUTOFF"), "SUSPENDED", 202),
    "resume": (("SUSPENDED",), "ACTIVE", 202), "lock": (None, None, 202), "unlock": (None, None, 202),
    "shelve": (("ACTIVE", "SHUTOFF"), "SHELVED_OFFLOADED", 202), "unshelve": (("SHELVED_OFFLOADED",), "ACTIVE", 202),
    "resize": (("ACTIVE", "SHUTOFF"), "VERIFY_RESIZE", 202), "confirmResize": (("VERIFY_RESIZE",), "ACTIVE", 204),
    "revertResize": (("VERIFY_RESIZE",), "ACTIVE", 202), "rebuild": (("ACTIVE", "SHUTOFF", "ERROR"), "ACTIVE", 202),
    "rescue": (("ACTIVE", "SHUTOFF"), "RESCUE", 200), "unrescue": (("RESCUE",), "ACTIVE", 202),
    "os-getConsoleOutput": (None, None, 200), "os-getVNCConsole": (None, None, 200), "forceDelete": (None, None, 202),
    "os-resetState": (None, None, 202), "addSecurityGroup": (None, None, 202), "removeSecurityGroup": (None, None, 202),
    "createImage": (("ACTIVE", "SHUTOFF"), None, 202), "migrate": (("ACTIVE", "SHUTOFF"), "VERIFY_RESIZE", 202),
    "changePassword": (("ACTIVE",), None, 202), "trigger_crash_dump": (("ACTIVE",), None, 202)}
ADMIN_ACTIONS = ("os-resetState", "migrate")
VM_STATES = {"ACTIVE": "active", "SHUTOFF": "stopped", "VERIFY_RESIZE": "resized", "RESCUE": "rescued"}
FILTERS = {"name": "name", "status": "status", "key_name": "key_name", "user_id": "user_id", "uuid": "id",
           "tenant_id": "tenant_id", "project_id": "tenant_id", "availability_zone": "OS-EXT-AZ:availability_zone",
           "task_state": "OS-EXT-STS:task_state", "flavor": "_flavor", "host": "OS-EXT-SRV-ATTR:host"}
SORT = {"uuid": "id", "display_name": "name", "created_at": "created", "updated_at": "updated", "vm_state": "status",
        "instance_type_id": "_flavor", "availability_zone": "OS-EXT-AZ:availability_zone"}


class Servers:
    """Mixed into `Nova`."""

    def server_table(self, v):
        """Routes."""
        one = f"{v}/servers/{{id}}"
        return [("GET", f"{v}/servers", self.servers), ("GET", f"{v}/servers/detail", self.servers_detail),
                ("POST", f"{v}/servers", self.server_create),
                ("GET", one, self.server), ("PUT", one, self.server_update),
                ("DELETE", one, self.server_delete), ("POST", one + "/action", self.server_action),
                ("GET", one + "/metadata", self.metadata), ("PUT", one + "/metadata", self.metadata),
                ("POST", one + "/metadata", self.metadata), ("GET", one + "/metadata/{key}", self.metadata_key),
                ("PUT", one + "/metadata/{key}", self.metadata_key),
                ("DELETE", one + "/metadata/{key}", self.metadata_key),
                ("GET", one + "/ips", self.server_ips), ("GET", one + "/ips/{name}", self.server_ips_of),
                ("GET", one + "/tags", self.server_tags), ("PUT", one + "/tags", self.server_tags)]

    def _server_view(self, request, row):
        template = self.templates["server_latest" if request.version >= (2, 47) else "server"]
        found = {name: row.get(name, copy.deepcopy(value)) for name, value in template.items()}
        found |= {"links": self.links(request, "servers", row["id"]), "addresses": self._addresses_of(row)}
        if request.version >= (2, 47):
            flavor = self.shelf("flavors").get(row["_flavor"]) or row["_flavor_copy"]
            found["flavor"] = {"original_name": flavor["name"], "vcpus": flavor["vcpus"], "ram": flavor["ram"],
                               "disk": flavor["disk"], "ephemeral": flavor["OS-FLV-EXT-DATA:ephemeral"],
                               "swap": flavor["swap"] or 0, "extra_specs": flavor["_specs"]}
        else:
            found["flavor"] = {"id": row["_flavor"], "links": self.links(request, "flavors", row["_flavor"])[1:]}
        if row["image"]:
            found["image"] = {"id": row["image"]["id"], "links": self.links(request, "images", row["image"]["id"])[1:]}
        attached = [a for a in self.shelf("attachments").values() if a["serverId"] == row["id"]]
        extra = {"delete_on_termination": False} if request.version >= (2, 3) else {}
        found["os-extended-volumes:volumes_attached"] = [{"id": a["volumeId"], **extra} for a in attached]
        if request.who.admin:
            found |= self.templates["server_admin"]
        return self.plain(found)

    def _addresses_of(self, row):
        network, found = self.pod.network, {}
        for port in network.shelf("ports").values():
            if port["device_id"] == row["id"]:
                name = network.shelf("networks")[port["network_id"]]["name"]
                fixed = [ip["ip_address"] for ip in port["fixed_ips"]]
                floats = [each["floating_ip_address"] for each in network.shelf("floatingips").values()
                          if each["port_id"] == port["id"]]
                found.setdefault(name, []).extend(
                    {"version": 4 if "." in ip else 6, "addr": ip,
                     "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
                    for kind, ips in (("fixed", fixed), ("floating", floats)) for ip in ips)
        return found

    def server_ips(self, request, id):
        """GET ips."""
        found = self._addresses_of(self.own_server(request, id))
        return Response(200, {"addresses": {name: self._plain_addresses(each) for name, each in found.items()}})

    def server_ips_of(self, request, id, name):
        """GET ips of one network."""
        found = self._addresses_of(self.own_server(request, id))
        if name not in found:
            raise Refused(404, "Instance is not a member of specified network")
        return Response(200, {name: self._plain_addresses(found[name])})

    @staticmethod
    def _plain_addresses(addresses):
        return [{name: each[name] for name in ("version", "addr")} for each in addresses]

    def _servers_seen(self, request):
        everybody = request.arg("all_tenants", "0").lower() in ("1", "true", "")
        if everybody and not request.who.admin:
            raise Refused(403, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
        if request.args().keys() & {"status", "task_state"}:
            self._catch_up(request.arg("project_id"))
        rows = list(self.shelf("servers").values())
        if request.who.admin and request.arg("deleted", "").lower() == "true":
            rows = list(self.deleted.values())
        if request.who.admin and request.arg("uuid"):
            rows = [row for row in rows if row["id"] == request.arg("uuid")]
        if request.arg("marker") in self.deleted:   # which is what the page begins behind
            rows.append(self.deleted[request.arg("marker")])
        if not everybody:
            rows = [row for row in rows if row["tenant_id"] == request.who.project.id]
        for name, values in request.args().items():
            if name in FILTERS and not (name in ("tenant_id", "project_id") and not request.who.admin):
                rows = [row for row in rows if any(self._alike(name, row.get(FILTERS[name]), v) for v in values)]
            elif name == "changes-since":
                rows = [row for row in rows if row["updated"] >= values[-1]]
        keys = [SORT.get(key, key) for key in request.args().get("sort_key", [])]
        if not keys:
            return newest_first(rows, "created")
        directions = request.args().get("sort_dir", ["desc"])
        directions += [directions[-1]] * (len(keys) - len(directions))
        return ordered(rows, request, [*keys, "id"], [*directions, directions[-1]])

    @staticmethod
    def _alike(name, value, wanted):
        if name == "name":
            return wanted.strip("^$") in str(value) if wanted.strip("^$") == wanted else wanted.strip("^$") == value
        return str(value).lower() == wanted.lower()

    def servers(self, request):
        """GET servers."""
        return self.listing(request, "servers", self._servers_seen(request),
                            lambda row: self.brief(request, "servers", row))

    def servers_detail(self, request):
        """GET servers/detail."""
        return self.listing(request, "servers", self._servers_seen(request),
                            lambda row: self._server_view(request, self._settle(row)))

    def own_server(self, request, id):
        """A server that the caller may see."""
        row = self.shelf("servers").get(id)
        if row is None or (row["tenant_id"] != request.who.project.id and not request.who.admin):
            raise Refused(404, f"Instance {id} could not be found.")
        return self._settle(row)

    def _settle(self, row):
        """Booting takes as long as nobody looks, or as long as a test wants."""
        if row["status"] == "BUILD" and not self.late:
            if row["id"] in self.unplugged:
                request, wanted = self.unplugged.pop(row["id"])
                self.plug(request, row, wanted)
            row |= {"status": "ACTIVE", "OS-EXT-STS:vm_state": "active", "OS-EXT-STS:task_state": None,
                    "updated": stamp(), "OS-EXT-STS:power_state": 1}
        return row

    def _catch_up(self, project):
        """States do not wait for somebody who asks for them."""
        for row in [row for row in self.shelf("servers").values() if row["tenant_id"] == project]:
            if row["OS-EXT-STS:task_state"] == "deleting" and not self.late:
                self._gone(row)
            else:
                self._settle(row)

    def _gone(self, row):
        self.unplugged.pop(row["id"], None)
        self.unplug(row)
        self.deleted[row["id"]] = self.shelf("servers").pop(row["id"]) | {"status": "DELETED"}

    def server_create(self, request):
        """POST servers: check everything that is named, then make ports and rows."""
        self.writer(request, "os_compute_api:servers:create")
        body = self.body(request)
        given = self.checked(SERVER, self.member(request, "server"))
        hints = body.get("os:scheduler_hints", body.get("OS-SCH-HNT:scheduler_hints", {}))
        self.checked(HINTS, hints)
        self._check_references(request, given, hints)
        count = self.fitting(request, given)
        rows = [self._new_server(request, given, f"-{i + 1}" if count > 1 else "") for i in range(count)]
        group = hints.get("group")
        if group:
            self.shelf("server_groups")[group]["members"] += [row["id"] for row in rows]
        if given.get("return_reservation_id"):
            return Response(202, {"reservation_id": "r-" + new_id()[:8]})
        row = rows[0]
        return Response(202, {"server": {
            "id": row["id"], "links": self.links(request, "servers", row["id"]),
            "OS-DCF:diskConfig": row["OS-DCF:diskConfig"], "security_groups": row["security_groups"],
            "adminPass": given.get("adminPass", "standin-pass")}},
            {"Location": f"{request.base}{self.prefix}/servers/{row['id']}"})

    def _check_references(self, request, given, hints):
        if str(given["flavorRef"]).rsplit("/", 1)[-1] not in self.shelf("flavors"):
            raise Refused(400, f"Flavor {given['flavorRef']} could not be found.")
        if not given.get("imageRef") and not given.get("block_device_mapping_v2"):
            raise Refused(400, "Invalid imageRef provided.")
        if "host" in given or "hypervisor_hostname" in given:
            self.admin(request, "compute:servers:create:requested_destination")
        zone = given.get("availability_zone", "nova").split(":")[0]
        if zone not in self.zone_names():
            raise Refused(400, "The requested availability zone is not available")
        if "key_name" in given and given["key_name"] not in self.keys_of(request.who.user.id):
            raise Refused(400, "Invalid key_name provided.")
        if request.version >= (2, 37) and "networks" not in given:
            raise Refused(400, "Invalid input for field/attribute server. 'networks' is a required property")
        group = hints.get("group")
        if group and (not isinstance(group, str) or group not in self.shelf("server_groups")):
            raise Refused(400, f"Instance group {group} could not be found.")
        for each in given.get("block_device_mapping_v2", []):
            volume = each.get("source_type") == "volume" and each.get("uuid")
            if volume and volume not in self.pod.volume.shelf("volumes"):
                raise Refused(400, f"Block Device Mapping is Invalid: failed to get volume {volume}.")
        request.groups = [self._group_id(request, each["name"]) for each in given.get("security_groups", [])
                          if each.get("name")]
        self._check_networks(request, given.get("networks"))

    def _check_networks(self, request, wanted):
        """Name all that are missing at once (nova/network/neutron.py validate_networks)."""
        network = self.pod.network
        asked = [each["uuid"] for each in wanted if each.get("uuid") and not each.get("port")] \
            if isinstance(wanted, list) else []
        seen = {id for id, row in network.shelf("networks").items() if network.may_see(request.who, "networks", row)}
        missing = [each for each in dict.fromkeys(asked) if each not in seen]
        if missing:
            raise Refused(400, f"Network {', '.join(missing)} could not be found.")

    def _group_id(self, request, name):
        network = self.pod.network
        network.ensure_default(request.who.project.id)
        for row in network.shelf("security-groups").values():
            if row["project_id"] == request.who.project.id and name in (row["id"], row["name"]):
                return row["id"]
        raise Refused(400, f"Security group {name} not found for project {request.who.project.id}.")

    def _new_server(self, request, given, suffix):
        row = copy.deepcopy(self.templates["server"])
        flavor = str(given["flavorRef"]).rsplit("/", 1)[-1]
        row |= {"id": new_id(), "name": given["name"] + suffix, "status": "BUILD",
                "created": stamp(), "updated": stamp(), "tenant_id": request.who.project.id,
                "user_id": request.who.user.id, "key_name": given.get("key_name"),
                "metadata": given.get("metadata", {}), "_flavor": flavor, "description": given.get("description"),
                "_flavor_copy": self.shelf("flavors")[flavor], "tags": given.get("tags", []),
                "image": {"id": given["imageRef"]} if given.get("imageRef") else "",
                "OS-EXT-AZ:availability_zone": given.get("availability_zone", self.zone_names()[0]).split(":")[0],
                "OS-EXT-STS:vm_state": "building", "OS-EXT-STS:task_state": "scheduling",
                "OS-DCF:diskConfig": given.get("OS-DCF:diskConfig", "MANUAL"),
                "security_groups": [{"name": self.pod.network.shelf("security-groups")[id]["name"]}
                                    for id in request.groups] or [{"name": "default"}]}
        if self.late:
            self.unplugged[row["id"]] = request, given.get("networks", "auto")
        else:
            self.plug(request, row, given.get("networks", "auto"))
        self.shelf("servers")[row["id"]] = row
        return row

    def server(self, request, id):
        """GET servers/{id}."""
        return Response(200, {"server": self._server_view(request, self.own_server(request, id))})

    def server_update(self, request, id):
        """PUT servers/{id}."""
        row = self.own_server(request, id)
        row |= self.checked(UPDATE, self.member(request, "server"))
        row["updated"] = stamp()
        return Response(200, {"server": self._server_view(request, row)})

    def server_delete(self, request, id):
        """DELETE servers/{id}; ports that Nova made go with it."""
        row = self.own_server(request, id)
        self.writer(request, "os_compute_api:servers:delete")
        if row.get("_locked") and not request.who.admin:
            raise Refused(409, f"Instance {id} is locked")
        if self.late:
            row["OS-EXT-STS:task_state"] = "deleting"
        else:
            self._gone(row)
        return Response(204)

    def server_action(self, request, id):
        """POST servers/{id}/action."""
        body = self.body(request)
        if len(body) != 1 or next(iter(body)) not in ACTIONS:
            raise Refused(400, f"There is no such action: {', '.join(body)[:80]}")
        (name, value), = body.items()
        row = self.own_server(request, id)
        self.writer(request, f"os_compute_api:servers:{name}")
        if name in ADMIN_ACTIONS:
            self.admin(request, f"os_compute_api:os-admin-actions:{name}")
        allowed, status, code = ACTIONS[name]
        if allowed and row["status"] not in allowed:
            raise Refused(409, f"Cannot '{name}' instance {id} while it is in vm_state {row['OS-EXT-STS:vm_state']}")
        answer = getattr(self, "act_" + name.replace("-", "_"), lambda *_: None)(request, row, value)
        if status:
            row |= {"status": status, "OS-EXT-STS:vm_state": VM_STATES.get(status, status.lower())}
        row["updated"] = stamp()
        return answer or Response(code)

    def act_reboot(self, request, row, value):
        """Its type must be given."""
        self.checked(c.fields(("type",), type=c.one_of("SOFT", "HARD")), value)

    def act_lock(self, request, row, value):
        """Locked servers are the administrator's."""
        row["_locked"], row["locked"] = True, True

    def act_unlock(self, request, row, value):
        """Free again."""
        row["_locked"], row["locked"] = False, False

    def act_resize(self, request, row, value):
        """Another flavor, which must exist."""
        given = self.checked(c.fields(("flavorRef",), flavorRef=c.text(255, 1), OS_DCF__diskConfig=c.text()), value)
        if given["flavorRef"] not in self.shelf("flavors"):
            raise Refused(400, f"Flavor {given['flavorRef']} could not be found.")
        self.check_resize(row, self.shelf("flavors")[given["flavorRef"]])
        row["_flavor"] = given["flavorRef"]

    def act_os_getConsoleOutput(self, request, row, value):
        """What the guest printed."""
        return Response(200, {"output": "Linux stand-in\n"})

    def act_os_getVNCConsole(self, request, row, value):
        """A console of the old kind."""
        return Response(200, {"console": {"type": "novnc", "url": self.console_url(row)}})

    def act_forceDelete(self, request, row, value):
        """As DELETE."""
        self.unplug(row)
        self.shelf("servers").pop(row["id"])

    def act_createImage(self, request, row, value):
        """Pretend to make an image."""
        self.checked(c.fields(("name",), name=c.text(255, 1), metadata=METADATA), value)
        image = new_id()
        if request.version >= (2, 45):
            return Response(202, {"image_id": image})
        return Response(202, None, {"Location": f"{request.base}/images/{image}"})

    def act_addSecurityGroup(self, request, row, value):
        """On all ports of the server."""
        given = self.checked(c.fields(("name",), name=c.text(255, 1)), value)
        id = self._group_id(request, given["name"])
        for port in self.ports_of_server(row):
            port["security_groups"] = sorted({*port["security_groups"], id})
        row["security_groups"].append({"name": given["name"]})

    def act_removeSecurityGroup(self, request, row, value):
        """Off all ports of the server."""
        given = self.checked(c.fields(("name",), name=c.text(255, 1)), value)
        id = self._group_id(request, given["name"])
        if not any(id in port["security_groups"] for port in self.ports_of_server(row)):
            raise Refused(404, f"Security group {given['name']} not associated with the instance")
        for port in self.ports_of_server(row):
            port["security_groups"] = [each for each in port["security_groups"] if each != id]

    def metadata(self, request, id):
        """All metadata: read, replace, add."""
        row = self.own_server(request, id)
        if request.method != "GET":
            given = self.checked(METADATA, self.member(request, "metadata"))
            row["metadata"] = given if request.method == "PUT" else row["metadata"] | given
        return Response(200, {"metadata": row["metadata"]})

    def metadata_key(self, request, id, key):
        """One metadata item."""
        row = self.own_server(request, id)
        if request.method == "PUT":
            given = self.checked(METADATA, self.member(request, "meta"))
            if list(given) != [key]:
                raise Refused(400, "Request body and URI mismatch")
            row["metadata"] |= given
        if key not in row["metadata"]:
            raise Refused(404, "Metadata item was not found")
        if request.method == "DELETE":
            del row["metadata"][key]
            return Response(204)
        return Response(200, {"meta": {key: row["metadata"][key]}})

    def server_tags(self, request, id):
        """Tags of a server."""
        row = self.own_server(request, id)
        if request.method == "PUT":
            row["tags"] = self.checked(c.many(c.text(60, 1), 50), self.body(request).get("tags"))
        return Response(200, {"tags": row["tags"]})
