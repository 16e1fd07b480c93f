"""A stateful Cinder v3: volumes, types, snapshots."""
import copy

from tests.functional.standin import checks as c
from tests.functional.standin.cinder_quotas import Quotas
from tests.functional.standin.cinder_transfers import Transfers
from tests.functional.standin.cinder_types import Types
from tests.functional.standin.microversioned import Microversioned, newest_first
from tests.functional.standin.service import new_id, ordered, recorded, stamp
from tests.functional.standin.web import Refused, Response

METADATA = c.mapping(0, c.text(255))
ID = c.nullable(c.identifier)
TENANT = "os-vol-tenant-attr:tenant_id"
VOLUME = c.fields(
    size=c.nullable(c.integer(1)), name=c.nullable(c.text(255)), description=c.nullable(c.text(255)),
    availability_zone=c.nullable(c.text(255, 1)), volume_type=c.nullable(c.text(255)), metadata=c.nullable(METADATA),
    snapshot_id=ID, source_volid=ID, imageRef=c.nullable(c.text(255)), consistencygroup_id=ID, group_id=ID,
    multiattach=c.nullable(c.boolean), backup_id=ID, image_id=c.nullable(c.text()),
    display_name=c.nullable(c.text(255)), display_description=c.nullable(c.text(255)))
UPDATE = c.fields(name=c.nullable(c.text(255)), description=c.nullable(c.text(255)), metadata=c.nullable(METADATA))
SNAPSHOT = c.fields(("volume_id",), volume_id=c.identifier, name=c.nullable(c.text(255)), force=c.boolean,
                    description=c.nullable(c.text(255)), metadata=c.nullable(METADATA))
FILTERS = ("name", "status", "id", "availability_zone", "volume_type", "bootable", "volume_id")


class Cinder(Quotas, Types, Transfers, Microversioned):
    """The volume service of a pod."""

    name = kind = "volume"
    log_level = "INFO"
    service_type = "volumev3"
    prefix = "/v3"
    low, high = (3, 0), (3, 70)
    open_paths = ("/",)

    def __init__(self, pod):
        self.templates = recorded("volume")
        super().__init__(pod)
        default = copy.deepcopy(self.templates["volume_type"]) | {"id": new_id()} | self.NEW_TYPE
        self.shelf("types")[default["id"]] = default

    def table(self):
        """All routes."""
        v, one = "/v3", "/v3/volumes/{id}"
        return [("GET", "/", self.versions), ("GET", v, self.slash), ("GET", f"{v}/", self.versions),
                ("GET", f"{v}/volumes", self.volumes), ("GET", f"{v}/volumes/detail", self.volumes),
                ("GET", f"{v}/volumes/summary", self.summary),
                ("POST", f"{v}/volumes", self.volume_create),
                ("GET", one, self.volume), ("PUT", one, self.volume_update),
                ("DELETE", one, self.volume_delete), ("POST", one + "/action", self.volume_action),
                ("GET", one + "/metadata", self.metadata), ("POST", one + "/metadata", self.metadata),
                ("PUT", one + "/metadata", self.metadata), ("GET", one + "/metadata/{key}", self.metadata_key),
                ("DELETE", one + "/metadata/{key}", self.metadata_key),
                *self.types_table(v), *self.transfers_table(v),
                ("GET", f"{v}/snapshots", self.snapshots), ("GET", f"{v}/snapshots/detail", self.snapshots),
                ("POST", f"{v}/snapshots", self.snapshot_create), ("GET", f"{v}/snapshots/{{id}}", self.snapshot_show),
                ("PUT", f"{v}/snapshots/{{id}}", self.snapshot_show),
                ("DELETE", f"{v}/snapshots/{{id}}", self.snapshot_delete),
                ("GET", f"{v}/os-availability-zone", self.zones),
                ("GET", f"{v}/os-services", self.services), ("PUT", f"{v}/os-services/get-log", self.log_levels),
                ("PUT", f"{v}/os-services/set-log", self.log_levels), ("PUT", f"{v}/workers/cleanup", self.cleanup),
                ("GET", f"{v}/extensions", self.extensions),
                *self.quota_table(v)]

    def slash(self, request):
        """GET v3, as Cinder's composite of paste has it."""
        return Response(302, b"", {"Location": f"{request.base}/v3/", "Content-Type": "text/plain; charset=utf8"})

    def summary(self, request):
        """GET volumes/summary."""
        mine = self._mine(request)
        return Response(200, {"volume-summary": {"total_size": sum(row["size"] for row in mine),
                                                 "total_count": len(mine)}})

    def versions(self, request):
        """Discovery: 300 at the root."""
        body = {"versions": [self.version_document(request, "v3.0")]}
        return Response(300 if request.path == "/" else 200, body)

    def extensions(self, request):
        """GET extensions."""
        return Response(200, {"extensions": []})

    def zones(self, request):
        """GET os-availability-zone."""
        return Response(200, {"availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]})

    def services(self, request):
        """GET os-services."""
        self.admin(request, "volume_extension:services:index")
        asked = request.arg("host") or self.node
        return Response(200, {"services": [{**row, "host": self.node} for row in self.templates["services"]
                                           if asked.partition("@")[0] == self.node]})

    @property
    def node(self) -> str:
        """The pod's only host."""
        return f"{self.pod.name.lower()}-node"

    def log_levels(self, request):
        """PUT os-services/get-log, set-log."""
        self.admin(request, "volume_extension:services:update")
        body = self.body(request)
        here = (body.get("server") or self.node) == self.node
        if request.path.endswith("set-log"):
            self.log_level = body["level"] if here else self.log_level
            return Response(202)
        return Response(200, {"log_levels": [{"host": self.node, "binary": "cinder-scheduler", "levels": {
            "cinder": self.log_level}}] if here else []})

    def cleanup(self, request):
        """PUT workers/cleanup."""
        self.admin(request, "workers:cleanup")
        here = (self.body(request).get("host") or self.node) == self.node
        return Response(202, {"cleaning": [], "unavailable": [{"host": self.node}] if here else []})

    # Volumes

    def _view(self, request, row):
        found = {**self.plain(row), "links": self.links(request, "volumes", row["id"])}
        if request.who.admin:
            found = {**self.templates["volume_admin"], **found}
        if request.version >= (3, 13):
            found["group_id"] = None
        if request.version >= (3, 21):
            found["provider_id"] = None
        return found

    def _mine(self, request):
        return [row for row in self.shelf("volumes").values() if row[TENANT] == request.who.project.id]

    def _settle(self, row):
        if row["status"] in ("creating", "extending"):
            row |= {"status": "available", "updated_at": stamp(micro=True)}
        return row

    def _filtered(self, request, rows):
        for name, values in request.args().items():
            if name in FILTERS:
                rows = [row for row in rows if str(row.get(name)) in values]
        sort = [part.split(":") for part in request.arg("sort", "").split(",") if part]
        if sort:
            return ordered(rows, request, [part[0] for part in sort], [[*part, "desc"][1] for part in sort])
        if request.arg("sort_key"):
            return ordered(rows, request, [request.arg("sort_key")], [request.arg("sort_dir", "desc")])
        return newest_first(rows, "created_at")

    def volumes(self, request):
        """GET volumes and volumes/detail."""
        rows = self._mine(request)
        if request.arg("all_tenants", "0").lower() in ("1", "true") and request.who.admin:
            rows = list(self.shelf("volumes").values())
        rows = self._filtered(request, [self._settle(row) for row in rows])
        if request.path.endswith("/detail"):
            return self.listing(request, "volumes", rows, lambda row: self._view(request, row))
        return self.listing(request, "volumes", rows, lambda row: self.brief(request, "volumes", row))

    def no_marker(self, marker):
        """Cinder calls it a missing volume."""
        return Refused(404, f"Volume {marker} could not be found.")

    def own_volume(self, request, id, message="Volume {} could not be found."):
        """A volume that the caller may see."""
        row = self.shelf("volumes").get(id)
        if row is None or (row[TENANT] != request.who.project.id and not request.who.admin):
            raise Refused(404, message.format(id))
        return self._settle(row)

    def volume_create(self, request):
        """POST volumes."""
        self.writer(request, "volume:create")
        given = self.checked(VOLUME, self.member(request, "volume"))
        source = given.get("snapshot_id") or given.get("source_volid")
        if given.get("size") is None and not source:
            raise Refused(400, "Invalid input received: volume size must be given.")
        zone = given.get("availability_zone") or "nova"
        if zone != "nova":
            raise Refused(400, f"Invalid input received: Availability zone '{zone}' is invalid.")
        size = self._size(request, given)
        kind = self.type_named(request, given.get("volume_type"))
        self.reserve(request.who.project.id, "volumes", size, kind["name"])
        row = copy.deepcopy(self.templates["volume"]) | copy.deepcopy(self.templates["volume_show"])
        row |= {"id": new_id(), "name": given.get("name", given.get("display_name")), "size": size,
                "status": "creating", "description": given.get("description"), "availability_zone": zone,
                "volume_type": kind["name"], "_type": kind["id"],
                "metadata": given.get("metadata") or {}, "snapshot_id": given.get("snapshot_id"), "attachments": [],
                "source_volid": given.get("source_volid"), "bootable": "true" if given.get("imageRef") else "false",
                "user_id": request.who.user.id, TENANT: request.who.project.id, "created_at": stamp(micro=True),
                "updated_at": None}
        self.shelf("volumes")[row["id"]] = row
        view = self._view(request, row)
        del view[TENANT]
        return Response(202, {"volume": view})

    def _size(self, request, given):
        if given.get("snapshot_id"):
            snapshot = self._snapshot(request, given["snapshot_id"])
            return given.get("size") or snapshot["size"]
        if given.get("source_volid"):
            source = self.own_volume(request, given["source_volid"])
            return given.get("size") or source["size"]
        return given["size"]

    def volume(self, request, id):
        """GET volumes/{id}."""
        return Response(200, {"volume": self._view(request, self.own_volume(request, id))})

    def volume_update(self, request, id):
        """PUT volumes/{id}."""
        row = self.own_volume(request, id)
        row |= self.checked(UPDATE, self.member(request, "volume"))
        return Response(200, {"volume": self._view(request, row)})

    def volume_delete(self, request, id):
        """DELETE volumes/{id}."""
        row = self.own_volume(request, id)
        self.writer(request, "volume:delete")
        if row["status"] not in ("available", "error") or any(
                s["volume_id"] == id for s in self.shelf("snapshots").values()):
            raise Refused(400, "Invalid volume: Volume status must be available or error and must not have snapshots.")
        del self.shelf("volumes")[id]
        return Response(202)

    def volume_action(self, request, id):
        """extend, bootable, metadata, state."""
        actions = c.fields(
            os_extend=c.fields(("new_size",), new_size=c.integer(1)),
            os_set_bootable=c.fields(("bootable",), bootable=c.boolean),
            os_update_readonly_flag=c.fields(("readonly",), readonly=c.boolean),
            os_reset_status=c.fields(status=c.text(), attach_status=c.text(), migration_status=c.text()),
            os_retype=c.fields(("new_type",), new_type=c.text(255, 1), migration_policy=c.text()),
            os_set_image_metadata=c.fields(("metadata",), metadata=METADATA))
        body = self.body(request)
        if len(body) != 1 or next(iter(body)).replace("-", "_") not in (
                "os_extend", "os_set_bootable", "os_update_readonly_flag", "os_reset_status", "os_retype",
                "os_set_image_metadata"):
            raise Refused(400, f"There is no such action: {', '.join(body)[:80]}")
        row, given = self.own_volume(request, id), self.checked(actions, body)
        (name, value), = given.items()
        if name == "os-extend":
            if value["new_size"] <= row["size"]:
                raise Refused(400, "Invalid input received: New size for extend must be greater than current size.")
            self.reserve(row[TENANT], "", value["new_size"] - row["size"], row["volume_type"])
            row["size"] = value["new_size"]
        elif name == "os-set_bootable":
            row["bootable"] = str(value["bootable"]).lower()
            return Response(200)
        elif name == "os-reset_status":
            self.admin(request, "volume_extension:volume_admin_actions:reset_status")
            row["status"] = value.get("status", row["status"])
        elif name == "os-set_image_metadata":
            return Response(200, {"metadata": value["metadata"]})
        return Response(202)

    def attached(self, id, server, device):
        """Nova attached it."""
        row = self.shelf("volumes")[id]
        row |= {"status": "in-use", "attachments": [{
            "id": id, "volume_id": id, "server_id": server, "device": device, "attachment_id": new_id(),
            "host_name": None, "attached_at": stamp(micro=True)}]}

    def detached(self, id):
        """Nova detached it."""
        if id in self.shelf("volumes"):
            self.shelf("volumes")[id] |= {"status": "available", "attachments": []}

    def metadata(self, request, id):
        """All metadata."""
        row = self.own_volume(request, id)
        if request.method != "GET":
            given = self.checked(METADATA, self.member(request, "metadata"))
            row["metadata"] = given if request.method == "PUT" else row["metadata"] | given
        return Response(200, {"metadata": row["metadata"]})

    def metadata_key(self, request, id, key):
        """One metadata item."""
        row = self.own_volume(request, id)
        if key not in row["metadata"]:
            raise Refused(404, "Metadata item was not found.")
        if request.method == "DELETE":
            del row["metadata"][key]
            return Response(200)
        return Response(200, {"meta": {key: row["metadata"][key]}})

    # Snapshots

    def _snapshot(self, request, id):
        row = self.find("snapshots", id, f"Snapshot {id} could not be found.")
        if row["os-extended-snapshot-attributes:project_id"] != request.who.project.id and not request.who.admin:
            raise Refused(404, f"Snapshot {id} could not be found.")
        return row

    def snapshots(self, request):
        """GET snapshots and snapshots/detail."""
        everybody = request.who.admin and request.arg("all_tenants")
        mine = [row for row in self.shelf("snapshots").values()
                if everybody or row["os-extended-snapshot-attributes:project_id"] == request.who.project.id]
        return self.listing(request, "snapshots", self._filtered(request, mine), self.plain)

    def snapshot_create(self, request):
        """POST snapshots."""
        self.writer(request, "volume:create_snapshot")
        given = self.checked(SNAPSHOT, self.member(request, "snapshot"))
        volume = self.own_volume(request, given["volume_id"])
        if volume["status"] != "available" and not given.get("force"):
            raise Refused(400, f"Invalid volume: Volume {volume['id']} status must be available, but it is: "
                               f"{volume['status']}.")
        self.reserve(request.who.project.id, "snapshots", volume["size"], volume["volume_type"])
        row = copy.deepcopy(self.templates["snapshot"]) | {
            "id": new_id(), "volume_id": volume["id"], "size": volume["size"], "name": given.get("name"),
            "description": given.get("description"), "metadata": given.get("metadata") or {},
            "created_at": stamp(micro=True), "os-extended-snapshot-attributes:project_id": request.who.project.id}
        self.shelf("snapshots")[row["id"]] = row
        return Response(202, {"snapshot": row})

    def snapshot_show(self, request, id):
        """GET or PUT snapshots/{id}."""
        row = self._snapshot(request, id)
        if request.method == "PUT":
            row |= self.checked(UPDATE, self.member(request, "snapshot"))
        return Response(200, {"snapshot": row})

    def snapshot_delete(self, request, id):
        """DELETE snapshots/{id}."""
        self._snapshot(request, id)
        del self.shelf("snapshots")[id]
        return Response(202)
