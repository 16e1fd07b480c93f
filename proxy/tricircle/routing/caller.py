"""Who asks, and how to ask a pod in his name."""
from dataclasses import dataclass, field
from typing import Any

from tricircle.routing.catalogue import Service

SERVICE_TOKEN = "x-service-token"   # noqa: S105 - a header's name


@dataclass(frozen=True)
class Identity:
    """Who a token stands for.

    Args:
        user_id: Keystone id.
        user_domain_id: of the user.
        project_id: of the project that the token is for; empty for a token of another scope.
        project_domain_id: of that project.
        domain_id: of the domain that the token is for.
        system_scope: `all` for a token of the system scope.
        roles: names, lower case.
        is_admin_project: False for another project than the cloud's own, where Keystone has such a one
            (`[resource]admin_project_name`).
        restricted: an application credential's access rules say for what the token is good.
    """

    user_id: str = ""
    user_domain_id: str = ""
    project_id: str = ""
    project_domain_id: str = ""
    domain_id: str = ""
    system_scope: str = ""
    roles: frozenset[str] = frozenset()
    is_admin_project: bool = True
    restricted: bool = False

    @classmethod
    def of(cls, token: dict[str, Any]) -> "Identity":
        """The identity in a token.

        Args:
            token: as Keystone shows it (`GET /v3/auth/tokens`).
        """
        user, project, application = (token.get(name) or {} for name in ("user", "project", "application_credential"))
        return cls(
            user.get("id", ""), user.get("domain", {}).get("id", ""), project.get("id", ""),
            project.get("domain", {}).get("id", ""), (token.get("domain") or {}).get("id", ""),
            "all" if (token.get("system") or {}).get("all") else "",
            frozenset(role["name"].lower() for role in token.get("roles", ())),
            token.get("is_admin_project", True), application.get("access_rules") is not None)


@dataclass(frozen=True)
class Caller:
    """The user behind a request.

    Args:
        identity: of the token.
        headers: what goes to a pod with every call in his name: token, microversion, global request id.
    """

    identity: Identity
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def user_id(self) -> str:
        """Keystone id."""
        return self.identity.user_id

    @property
    def project_id(self) -> str:
        """Keystone id of the project that the token is for."""
        return self.identity.project_id

    @property
    def is_admin(self) -> bool:
        """Whether he administers the cloud: what pods let him do to things of others, by default."""
        return "admin" in self.identity.roles and bool(self.project_id) and self.identity.is_admin_project

    @property
    def own(self) -> dict[str, str]:
        """Headers of the user's own request, which pods judge by its own access rules."""
        if not self.identity.restricted:
            return self.headers
        return {name: value for name, value in self.headers.items() if name != SERVICE_TOKEN}

    def headers_for(self, service: Service) -> dict[str, str]:
        """Return the headers of a call of our own to a service: without the microversions of other services.

        Cinder refuses every request that names one of another service alone ("API version None is not supported").
        """
        kept = {name: value for name, value in self.headers.items() if "api-version" not in name}
        said = [part.strip() for part in self.headers.get("openstack-api-version", "").split(",")]
        own = [part for part in said if service.microversion and part.startswith(f"{service.microversion} ")]
        return kept | ({"openstack-api-version": own[0]} if own else {})

    def prefix(self, service: Service) -> str:
        """The beginning of a path for a call of our own in his name."""
        version = "/" + service.versions[0]
        return f"{version}/{self.project_id}" if service.name == "volume" else version
