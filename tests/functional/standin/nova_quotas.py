"""Nova's quotas and limits: what a project may have in this pod, and what Nova counts of it."""
import copy

from tests.functional.standin import checks as c
from tests.functional.standin.web import Refused, Response

# What `limits` calls quotas.
MAXIMA = {"maxTotalInstances": "instances", "maxTotalCores": "cores", "maxTotalRAMSize": "ram",
          "maxTotalKeypairs": "key_pairs", "maxServerGroups": "server_groups", "maxServerMeta": "metadata_items",
          "maxServerGroupMembers": "server_group_members"}


class Quotas:
    """Mixed into `Nova`."""

    # As long as it is set, new servers stay in BUILD, are not counted and have no ports: the conductor has not come to
    # them. Deleted ones are still there.
    late = False

    def quota_table(self, v):
        """Routes."""
        one, of_class = f"{v}/os-quota-sets/{{id}}", f"{v}/os-quota-class-sets/{{id}}"
        return [("GET", f"{v}/limits", self.limits), ("GET", one, self.quota), ("PUT", one, self.quota),
                ("GET", one + "/defaults", self.quota_defaults), ("GET", one + "/detail", self.quota_detail),
                ("DELETE", one, self.quota_reset), ("GET", of_class, self.quota_class),
                ("PUT", of_class, self.quota_class)]

    def _defaults(self):
        found = {name: value for name, value in self.templates["quota_set"].items() if name != "id"}
        return found | self.shelf("quota_classes").get("default", {})

    def quota_of(self, project: str) -> dict[str, int]:
        """A project's limits."""
        return self._defaults() | self.shelf("quotas").get(project, {})

    def used(self, project: str) -> dict[str, int]:
        """What Nova counts for a project."""
        mine = [row for row in self.shelf("servers").values() if row["tenant_id"] == project
                and not (self.late and row["status"] == "BUILD")]
        flavors = [self.shelf("flavors").get(row["_flavor"]) or row["_flavor_copy"] for row in mine]
        groups = [row for row in self.shelf("server_groups").values() if row["_project"] == project]
        return {"instances": len(mine), "cores": sum(f["vcpus"] for f in flavors),
                "ram": sum(f["ram"] for f in flavors), "server_groups": len(groups)}

    def limits(self, request):
        """GET limits, with what the project uses."""
        project = request.arg("tenant_id", request.who.project.id)
        if project != request.who.project.id:
            self.admin(request, "os_compute_api:limits:other_project")
        quota, used, found = self.quota_of(project), self.used(project), copy.deepcopy(self.templates["limits"])
        found["absolute"] |= {shown: quota[name] for shown, name in MAXIMA.items()} | {
            "totalInstancesUsed": used["instances"], "totalCoresUsed": used["cores"], "totalRAMUsed": used["ram"],
            "totalServerGroupsUsed": used["server_groups"]}
        return Response(200, {"limits": found})

    def quota(self, request, id):
        """Read or set a quota."""
        if request.method == "PUT":
            self.admin(request, "os_compute_api:os-quota-sets:update")
            checks = {name: c.integer(-1) for name in self._defaults()}
            given = self.checked(c.fields(force=c.boolean, **checks), self.member(request, "quota_set"))
            force, used = given.pop("force", False), self.used(id)
            for name, limit in given.items():
                if not force and 0 <= limit < used.get(name, 0):
                    raise Refused(400, f"Quota limit {limit} for {name} must be greater than or equal to already used "
                                       f"and reserved {used[name]}.")
            if request.arg("user_id"):
                self.shelf("user_quotas").setdefault(f"{id} {request.arg('user_id')}", {}).update(given)
            else:
                self.shelf("quotas").setdefault(id, {}).update(given)
            return Response(200, {"quota_set": self.quota_of(id)})
        self._readable(request, id, "show")
        more = self.shelf("user_quotas").get(f"{id} {request.arg('user_id')}", {})
        return Response(200, {"quota_set": {"id": id, **self.quota_of(id), **more}})

    def _readable(self, request, id, what):
        if id != request.who.project.id:
            self.admin(request, f"os_compute_api:os-quota-sets:{what}")

    def quota_detail(self, request, id):
        """GET detail."""
        self._readable(request, id, "detail")
        used = self.used(id)
        return Response(200, {"quota_set": {"id": id, **{
            name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0}
            for name, limit in self.quota_of(id).items()}}})

    def quota_defaults(self, request, id):
        """GET defaults."""
        return Response(200, {"quota_set": {"id": id, **self._defaults()}})

    def quota_reset(self, request, id):
        """DELETE a quota."""
        self.admin(request, "os_compute_api:os-quota-sets:delete")
        self.shelf("quotas").pop(id, None)
        return Response(202)

    def quota_class(self, request, id):
        """Read or set the numbers of a class; `default` is everybody's."""
        self.admin(request, "os_compute_api:os-quota-class-sets:show")
        row = self.shelf("quota_classes").get(id, {})
        if request.method == "PUT":
            checks = {name: c.integer(-1) for name in self._defaults()}
            row = row | self.checked(c.fields(**checks), self.member(request, "quota_class_set"))
            self.shelf("quota_classes")[id] = row
            return Response(200, {"quota_class_set": self._defaults() | row})
        return Response(200, {"quota_class_set": {"id": id, **self._defaults(), **row}})

    # Enforcing

    def fitting(self, request, given) -> int:
        """How many of the servers asked for may be made; 403 when fewer than the least."""
        least = given.get("min_count", 1)
        most = given.get("max_count", least)
        if most < least:
            raise Refused(400, "min_count must be <= max_count")
        project, flavor = request.who.project.id, self.shelf("flavors")[str(given["flavorRef"]).rsplit("/", 1)[-1]]
        units = {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}
        quota, used = self.quota_of(project), self.used(project)
        room = min([most, *((quota[name] - used[name]) // unit for name, unit in units.items() if quota[name] >= 0)])
        if room < least:
            asked = {name: unit * most for name, unit in units.items()}
            self._refuse_over(asked | {"instances": most if least == most else f"{least}-{most}"}, asked, quota, used)
        return room

    def check_resize(self, row, flavor):
        """403 when the larger flavor does not fit."""
        old = self.shelf("flavors").get(row["_flavor"]) or row["_flavor_copy"]
        asked = {"cores": flavor["vcpus"] - old["vcpus"], "ram": flavor["ram"] - old["ram"]}
        quota, used = self.quota_of(row["tenant_id"]), self.used(row["tenant_id"])
        if any(0 <= quota[name] < used[name] + number and number > 0 for name, number in asked.items()):
            self._refuse_over(asked, asked, quota, used)

    @staticmethod
    def _refuse_over(shown, asked, quota, used):
        overs = sorted(name for name, number in asked.items() if 0 <= quota[name] < used[name] + number)
        told = [", ".join(str(each[name]) for name in overs) for each in (shown, used, quota)]
        names = ", ".join(overs)
        raise Refused(403, f"Quota exceeded for {names}: Requested {told[0]}, but already used {told[1]} of {told[2]} "
                           f"{names}")

    def check_server_groups(self, request):
        """403 for one too many."""
        project = request.who.project.id
        if 0 <= self.quota_of(project)["server_groups"] <= self.used(project)["server_groups"]:
            raise Refused(403, "Quota exceeded, too many server groups.")

    def check_keypairs(self, request, has):
        """403 for one too many; a user's, not a project's."""
        if 0 <= self.quota_of(request.who.project.id)["key_pairs"] <= has:
            raise Refused(403, "Quota exceeded, too many key pairs.")
