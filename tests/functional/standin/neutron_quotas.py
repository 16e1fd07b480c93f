"""Neutron's quotas: what a project may have in this pod, and what Neutron counts of it."""
from tests.functional.standin import checks as c
from tests.functional.standin.neutron_kinds import KINDS
from tests.functional.standin.web import Refused, Response

SHELVES = {kind.singular: plural for plural, kind in KINDS.items()}


class Quotas:
    """Mixed into `Neutron`."""

    def quota_table(self):
        """Routes."""
        one = "/v2.0/quotas/{project}"
        return [("GET", "/v2.0/quotas", self.quotas), ("GET", "/v2.0/quotas/project", self.quota_project),
                ("GET", one, self.quota), ("PUT", one, self.quota), ("DELETE", one, self.quota_reset),
                ("GET", one + "/default", self.quota_default), ("GET", one + "/details", self.quota_details)]

    def quota_of(self, project: str) -> dict[str, int]:
        """A project's limits."""
        return self.templates["quota"] | self.shelf("quotas").get(project, {})

    def counted(self, project: str, name: str) -> int:
        """What Neutron counts of one kind."""
        return len([row for row in self.shelf(SHELVES.get(name, name)).values() if row["project_id"] == project])

    def reserve(self, project: str, name: str) -> None:
        """409 when one more does not fit."""
        if 0 <= self.quota_of(project).get(name, -1) <= self.counted(project, name):
            raise Refused(409, f"Quota exceeded for resources: ['{name}'].", "OverQuota")

    def quotas(self, request):
        """GET quotas: of all projects that have numbers of their own."""
        self.admin(request, "get_quota")
        return Response(200, {"quotas": [{**self.quota_of(project), "project_id": project, "tenant_id": project}
                                         for project in self.shelf("quotas")]})

    def quota_project(self, request):
        """GET quotas/project."""
        return Response(200, {"project": {"project_id": request.who.project.id}})

    def _readable(self, request, project):
        if project != request.who.project.id:
            self.admin(request, "get_quota")

    def quota(self, request, project):
        """Read or set a project's quota."""
        if request.method == "PUT":
            self.admin(request, "update_quota")
            given = self._member(request, "quota")
            check_limit = given.pop("check_limit", False)
            given.pop("force", None)
            given = self._checked({name: c.integer(-1) for name in self.templates["quota"]}, given)
            for name, limit in given.items():
                if check_limit and self.counted(project, name) > limit:
                    raise Refused(400, f"Quota limit {limit} for {name} must be greater than or equal to already used "
                                       f"{self.counted(project, name)}", "HTTPBadRequest")
            self.shelf("quotas").setdefault(project, {}).update(given)
        else:
            self._readable(request, project)
        return Response(200, {"quota": self.quota_of(project)})

    def quota_reset(self, request, project):
        """DELETE a project's numbers."""
        self.admin(request, "delete_quota")
        if self.shelf("quotas").pop(project, None) is None:
            raise Refused(404, f"Quota for tenant {project} could not be found.", "TenantQuotaNotFound")
        return Response(204)

    def quota_default(self, request, project):
        """GET default."""
        self._readable(request, project)
        return Response(200, {"quota": self.templates["quota"]})

    def quota_details(self, request, project):
        """GET details."""
        self._readable(request, project)
        return Response(200, {"quota": {
            name: {"limit": limit, "used": self.counted(project, name), "reserved": 0}
            for name, limit in self.quota_of(project).items()}})
