"""A stateful Nova: version documents and the small resources; servers and flavors in the nova_* files beside."""
import copy
import uuid

from tests.functional.standin import checks as c
from tests.functional.standin.microversioned import Microversioned
from tests.functional.standin.nova_catalogue import Catalogue
from tests.functional.standin.nova_devices import Devices
from tests.functional.standin.nova_floating import FloatingProxies
from tests.functional.standin.nova_quotas import Quotas
from tests.functional.standin.nova_servers import Servers
from tests.functional.standin.service import recorded, stamp
from tests.functional.standin.web import Refused, Response


class Nova(Servers, Devices, FloatingProxies, Catalogue, Quotas, Microversioned):
    """The compute service of a pod."""

    name = kind = "compute"
    prefix = "/v2.1"
    legacy = "x-openstack-nova-api-version"
    low, high = (2, 1), (2, 93)
    open_paths = ("/", "/v2.1", "/v2.1/")

    def __init__(self, pod):
        self.templates = recorded("compute")
        self.count = 0
        self.disabled = set()    # ids of services
        self.deleted = {}         # {server id: its row} after it was deleted
        self.unplugged = {}      # {server id: its create request and the networks asked for} while ports are late
        super().__init__(pod)

    def table(self):
        """All routes."""
        v = "/v2.1"
        table = [("GET", "/", self.versions), ("GET", v, self.version), ("GET", f"{v}/", self.version),
                 ("GET", f"{v}/extensions", lambda request: Response(200, {"extensions": []})),
                 ("GET", f"{v}/os-availability-zone", self.zones),
                 ("GET", f"{v}/os-availability-zone/detail", self.zones_detail),
                 ("GET", f"{v}/os-hypervisors", self.hypervisors),
                 ("GET", f"{v}/os-hypervisors/detail", self.hypervisors),
                 ("GET", f"{v}/os-hypervisors/statistics", self.hypervisor_statistics),
                 ("GET", f"{v}/os-hypervisors/{{id}}", self.hypervisor),
                 ("GET", f"{v}/os-hypervisors/{{pattern}}/search", self.hypervisor_search),
                 ("GET", f"{v}/os-hypervisors/{{pattern}}/servers", self.hypervisor_search),
                 ("GET", f"{v}/os-hosts", self.hosts), ("GET", f"{v}/os-hosts/{{name}}", self.host),
                 ("GET", f"{v}/os-services", self.services), ("PUT", f"{v}/os-services/{{id}}", self.service_update),
                 ("GET", f"{v}/os-simple-tenant-usage/{{id}}", self.usage),
                 ("GET", f"{v}/os-aggregates", self.aggregates), ("POST", f"{v}/os-aggregates", self.aggregate_create),
                 ("GET", f"{v}/os-aggregates/{{id}}", self.aggregate),
                 ("PUT", f"{v}/os-aggregates/{{id}}", self.aggregate),
                 ("DELETE", f"{v}/os-aggregates/{{id}}", self.aggregate),
                 ("POST", f"{v}/os-aggregates/{{id}}/action", self.aggregate_action)]
        return [*table, *self.catalogue_table(v), *self.server_table(v), *self.device_table(v), *self.floating_table(v),
                *self.quota_table(v)]

    def versions(self, request):
        """GET /."""
        old = {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "", "updated": "2011-01-21T11:33:21Z",
               "links": [{"rel": "self", "href": f"{request.base}/v2/"}]}
        new = self.version_document(request, "v2.1")
        del new["media-types"]
        return Response(200, {"versions": [old, new]})

    def version(self, request):
        """GET /v2.1."""
        return Response(200, {"version": self.version_document(request, "v2.1")})

    def zone_names(self) -> list[str]:
        """AZs in which there is a compute host."""
        named = {a["availability_zone"] for a in self.shelf("aggregates").values() if a["hosts"]} - {None}
        return sorted(named) or ["nova"]

    def zones(self, request):
        """GET os-availability-zone."""
        return Response(200, {"availabilityZoneInfo": [
            {"zoneName": name, "zoneState": {"available": True}, "hosts": None} for name in self.zone_names()]})

    def zones_detail(self, request):
        """GET os-availability-zone/detail."""
        self.admin(request, "os_compute_api:os-availability-zone:detail")
        up = {"active": True, "available": True, "updated_at": stamp(micro=True)}
        rows = [{"zoneName": "internal", "zoneState": {"available": True}, "hosts": {"node": {"nova-conductor": up}}}]
        rows += [{"zoneName": name, "zoneState": {"available": True}, "hosts": {"node": {"nova-compute": up}}}
                 for name in self.zone_names()]
        return Response(200, {"availabilityZoneInfo": rows})

    def _hypervisor(self, request):
        row = copy.deepcopy(self.templates["hypervisor"])
        row["hypervisor_hostname"] = f"{self.pod.name.lower()}-node"
        if request.version >= (2, 53):
            row["id"] = f"00000000-0000-4000-8000-{sum(map(ord, self.pod.name)):012d}"
        return row

    def hypervisors(self, request):
        """GET os-hypervisors and its detail."""
        self.admin(request, "os_compute_api:os-hypervisors:list")
        row = self._hypervisor(request)
        if request.arg("hypervisor_hostname_pattern", "") not in row["hypervisor_hostname"]:
            raise Refused(404, "No hypervisor matching that could be found.")
        if not request.path.endswith("/detail"):
            row = {key: row[key] for key in ("id", "hypervisor_hostname", "state", "status")}
        return Response(200, {"hypervisors": [row]})

    def hypervisor(self, request, id):
        """GET os-hypervisors/{id}."""
        self.admin(request, "os_compute_api:os-hypervisors:show")
        row = self._hypervisor(request)
        if id != str(row["id"]):
            raise Refused(404, f"Compute host {id} could not be found.")
        return Response(200, {"hypervisor": row})

    def hypervisor_search(self, request, pattern):
        """GET os-hypervisors/{pattern}/search and /servers."""
        self.admin(request, "os_compute_api:os-hypervisors:search")
        row = self._hypervisor(request)
        if pattern not in row["hypervisor_hostname"]:
            raise Refused(404, f"No hypervisor matching '{pattern}' could be found.")
        found = {key: row[key] for key in ("id", "hypervisor_hostname", "state", "status")}
        return Response(200, {"hypervisors": [found]})

    def host(self, request, name):
        """GET os-hosts/{name}."""
        self.admin(request, "os_compute_api:os-hosts:show")
        if name != f"{self.pod.name.lower()}-node":
            raise Refused(404, f"Compute host {name} could not be found.")
        return Response(200, {"host": []})

    def hosts(self, request):
        """GET os-hosts."""
        self.admin(request, "os_compute_api:os-hosts:list")
        rows = [{"host_name": row["host"], "service": row["binary"].removeprefix("nova-"), "zone": row["zone"]}
                for row in self._services(request)]
        zone = request.arg("zone", "")
        return Response(200, {"hosts": [row for row in rows if not zone or row["zone"] == zone]})

    def hypervisor_statistics(self, request):
        """GET os-hypervisors/statistics."""
        self.admin(request, "os_compute_api:os-hypervisors:statistics")
        row = self._hypervisor(request)
        names = ("vcpus", "vcpus_used", "memory_mb", "memory_mb_used", "local_gb", "local_gb_used", "free_ram_mb",
                 "free_disk_gb", "current_workload", "running_vms", "disk_available_least")
        return Response(200, {"hypervisor_statistics": {"count": 1, **{name: row[name] for name in names}}})

    def services(self, request):
        """GET os-services."""
        self.admin(request, "os_compute_api:os-services:list")
        return Response(200, {"services": self._services(request)})

    def service_update(self, request, id):
        """PUT os-services/{uuid}; no GET shows one."""
        self.admin(request, "os_compute_api:os-services:update")
        if id not in {row["id"] for row in self._services(request)}:
            raise Refused(404, f"Compute host {id} could not be found.")
        (self.disabled.add if self.body(request)["status"] == "disabled" else self.disabled.discard)(id)
        return Response(200, {"service": next(row for row in self._services(request) if row["id"] == id)})

    def _services(self, request):
        """From 2.53 on their ids are UUIDs."""
        rows = [{**row, "host": f"{self.pod.name.lower()}-node"} for row in self.templates["services"]]
        wanted = {name: request.arg(name, None) for name in ("host", "binary")}
        rows = [row for row in rows if all(value in (None, row[name]) for name, value in wanted.items())]
        for row in rows if request.version >= (2, 53) else ():
            row["id"] = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{row['binary']}.{self.pod.name}"))
            row["status"] = "disabled" if row["id"] in self.disabled else "enabled"
        return rows

    def usage(self, request, id):
        """GET os-simple-tenant-usage of a project."""
        return Response(200, {"tenant_usage": {}})

    # Aggregates

    def aggregates(self, request):
        """GET os-aggregates."""
        self.admin(request, "os_compute_api:os-aggregates:index")
        return Response(200, {"aggregates": list(self.shelf("aggregates").values())})

    def aggregate_create(self, request):
        """POST os-aggregates."""
        self.admin(request, "os_compute_api:os-aggregates:create")
        check = c.fields(("name",), name=c.text(255, 1), availability_zone=c.nullable(c.text(255, 1)))
        given = self.checked(check, self.member(request, "aggregate"))
        if any(a["name"] == given["name"] for a in self.shelf("aggregates").values()):
            raise Refused(409, f"Aggregate {given['name']} already exists.")
        self.count += 1
        row = copy.deepcopy(self.templates["aggregate"]) | given | {"id": self.count, "created_at": stamp(micro=True)}
        if given.get("availability_zone"):
            row["metadata"] = {"availability_zone": given["availability_zone"]}
        self.shelf("aggregates")[str(self.count)] = row
        shown = {key: value for key, value in row.items() if key not in ("hosts", "metadata")}
        return Response(200, {"aggregate": shown})

    def aggregate(self, request, id):
        """Show, update or delete an aggregate."""
        self.admin(request, "os_compute_api:os-aggregates:show")
        row = self.find("aggregates", id, f"Aggregate {id} could not be found.")
        if request.method == "DELETE":
            if row["hosts"]:
                raise Refused(409, f"Cannot remove aggregate {id}: it is not empty.")
            del self.shelf("aggregates")[id]
            return Response(200)
        if request.method == "PUT":
            check = c.fields(name=c.text(255, 1), availability_zone=c.nullable(c.text(255, 1)))
            row |= self.checked(check, self.member(request, "aggregate"))
        return Response(200, {"aggregate": row})

    def aggregate_action(self, request, id):
        """add_host, remove_host, set_metadata."""
        self.admin(request, "os_compute_api:os-aggregates:add_host")
        row = self.find("aggregates", id, f"Aggregate {id} could not be found.")
        check = c.fields(add_host=c.fields(("host",), host=c.text(255, 1)),
                         remove_host=c.fields(("host",), host=c.text(255, 1)),
                         set_metadata=c.fields(("metadata",), metadata=c.mapping(0, c.nullable(c.text()))))
        given = self.checked(check, self.body(request))
        for name, value in given.items():
            if name == "add_host":
                row["hosts"] = sorted({*row["hosts"], value["host"]})
            elif name == "remove_host":
                if value["host"] not in row["hosts"]:
                    raise Refused(404, f"Aggregate {id} has no host {value['host']}.")
                row["hosts"].remove(value["host"])
            else:
                row["metadata"] = {k: v for k, v in (row["metadata"] | value["metadata"]).items() if v is not None}
                row["availability_zone"] = row["metadata"].get("availability_zone", row["availability_zone"])
        return Response(200, {"aggregate": row})
