"""Cinder's quotas and limits: what a project may have in this pod, and what Cinder counts of it."""
import copy

from tests.functional.standin import checks as c
from tests.functional.standin.web import Refused, Response

MAXIMA = {"maxTotalVolumes": "volumes", "maxTotalVolumeGigabytes": "gigabytes", "maxTotalSnapshots": "snapshots",
          "maxTotalBackups": "backups", "maxTotalBackupGigabytes": "backup_gigabytes"}
TENANT, SNAPSHOT_TENANT = "os-vol-tenant-attr:tenant_id", "os-extended-snapshot-attributes:project_id"


class OverLimit(Refused):
    """413 as Cinder says it."""

    def __init__(self, message: str):
        super().__init__(413, message)


class Quotas:
    """Mixed into `Cinder`."""

    def quota_table(self, v):
        """Routes."""
        one, of_class = f"{v}/os-quota-sets/{{id}}", f"{v}/os-quota-class-sets/{{id}}"
        return [("GET", f"{v}/limits", self.limits), ("GET", one, self.quota), ("PUT", one, self.quota),
                ("DELETE", one, self.quota_reset), ("GET", one + "/defaults", self.quota_defaults),
                ("GET", of_class, self.quota_class), ("PUT", of_class, self.quota_class)]

    def _defaults(self):
        found = {name: value for name, value in self.templates["quota_set"].items() if name != "id"}
        for kind in self.shelf("types").values():
            found |= {f"{name}_{kind['name']}": -1 for name in ("volumes", "gigabytes", "snapshots")}
        return found | self.shelf("quota_classes").get("default", {})

    def quota_of(self, project: str) -> dict[str, int]:
        """A project's limits."""
        return self._defaults() | self.shelf("quotas").get(project, {})

    def used(self, project: str) -> dict[str, int]:
        """What Cinder counts for a project."""
        found = {}
        snapshots = [row for row in self.shelf("snapshots").values() if row[SNAPSHOT_TENANT] == project]
        rows = [("volumes", row, row) for row in self.shelf("volumes").values() if row[TENANT] == project]
        rows += [("snapshots", row, self.shelf("volumes")[row["volume_id"]]) for row in snapshots]
        for name, row, volume in rows:
            for each, number in ((name, 1), ("gigabytes", row["size"])):
                found[each] = found.get(each, 0) + number
                typed = f"{each}_{volume['volume_type']}"
                found[typed] = found.get(typed, 0) + number
        return found

    def error(self, refused):
        """Its 413 repeats the header Retry-After in the body."""
        found = super().error(refused)
        if isinstance(refused, OverLimit):
            found["overLimit"]["retryAfter"] = "0"
        return found

    def finish(self, request, response):
        """413 comes with Retry-After."""
        super().finish(request, response)
        if response.status == 413:
            response.headers["Retry-After"] = "0"

    def limits(self, request):
        """GET limits, with what the project uses; an administrator may ask for another one's since 3.39."""
        project = request.who.project.id
        if request.who.admin and request.version >= (3, 39):
            project = request.arg("project_id", request.arg("tenant_id", project))
        quota, used, found = self.quota_of(project), self.used(project), copy.deepcopy(self.templates["limits"])
        found["absolute"] |= {shown: quota[name] for shown, name in MAXIMA.items()} | {
            "totalVolumesUsed": used.get("volumes", 0), "totalGigabytesUsed": used.get("gigabytes", 0),
            "totalSnapshotsUsed": used.get("snapshots", 0)}
        return Response(200, {"limits": found})

    def quota(self, request, id):
        """Read or set a quota."""
        if id != request.who.project.id or request.method == "PUT":
            self.admin(request, f"volume_extension:quotas:{'update' if request.method == 'PUT' else 'show'}")
        quota, used = self.quota_of(id), self.used(id)
        if request.method == "PUT":
            check = c.fields(**{name: c.integer(-1) for name in quota})
            given = self.checked(check, self.member(request, "quota_set"))
            for name, limit in given.items():
                if name in self.shelf("quotas").get(id, {}) and 0 <= limit < used.get(name, 0):
                    raise Refused(400, f"Quota {name} limit must be equal or greater than existing resources. Current "
                                       f"usage is {used[name]} and the requested limit is {limit}.")
            self.shelf("quotas").setdefault(id, {}).update(given)
            return Response(200, {"quota_set": self.quota_of(id)})
        if request.arg("usage", "").lower() in ("1", "true"):
            quota = {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
                     for name, limit in quota.items()}
        return Response(200, {"quota_set": {**quota, "id": id}})

    def quota_defaults(self, request, id):
        """GET defaults."""
        return Response(200, {"quota_set": {**self._defaults(), "id": id}})

    def quota_reset(self, request, id):
        """DELETE a quota."""
        self.admin(request, "volume_extension:quotas:delete")
        self.shelf("quotas").pop(id, None)
        return Response(200)

    def quota_class(self, request, id):
        """Read or set the numbers of a class; `default` is everybody's."""
        self.admin(request, "volume_extension:quota_classes:get")
        if request.method == "PUT":
            check = c.fields(**{name: c.integer(-1) for name in self._defaults()})
            self.shelf("quota_classes").setdefault(id, {}).update(
                self.checked(check, self.member(request, "quota_class_set")))
        found = self._defaults() | self.shelf("quota_classes").get(id, {})
        return Response(200, {"quota_class_set": found | ({"id": id} if request.method == "GET" else {})})

    def reserve(self, project: str, what: str, size: int, kind: str) -> None:
        """413 when one more of `what` (nothing when a volume only grows), of that size and type, does not fit."""
        quota, used = self.quota_of(project), self.used(project)
        asked = {"gigabytes": size, f"gigabytes_{kind}": size} | ({what: 1, f"{what}_{kind}": 1} if what else {})
        if 0 <= quota["per_volume_gigabytes"] < size and what != "snapshots":
            raise OverLimit(f"VolumeSizeExceedsLimit: Requested volume size {size}G is larger than maximum allowed "
                            f"limit {quota['per_volume_gigabytes']}G.")
        overs = sorted(name for name, number in asked.items() if 0 <= quota[name] < used.get(name, 0) + number)
        for name in overs:
            if "gigabytes" in name:
                raise OverLimit(f"VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} "
                                f"quota. Requested {size}G, quota is {quota[name]}G and {used.get(name, 0)}G has been "
                                "consumed.")
            if what == "volumes":
                raise OverLimit(f"VolumeLimitExceeded: Maximum number of volumes allowed ({quota[name]}) exceeded for "
                                f"quota '{name}'.")
            raise OverLimit(f"SnapshotLimitExceeded: Maximum number of snapshots allowed ({quota[name]}) exceeded")
