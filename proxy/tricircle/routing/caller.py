"""Who asks, and how to ask a pod in his name."""
from dataclasses import dataclass, field

from tricircle.routing.catalogue import Service


@dataclass(frozen=True)
class Caller:
    """The user behind a request, as keystonemiddleware found him.

    Args:
        user_id: Keystone id.
        project_id: Keystone id of the project that the token is for.
        roles: names, lower case.
        headers: what goes to a pod with every call in his name: token, microversion, global request id.
    """

    user_id: str
    project_id: str
    roles: frozenset[str]
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def identity(self) -> tuple[str, str, frozenset[str]]:
        """What a pod's answer to the caller depends on."""
        return self.user_id, self.project_id, self.roles

    def prefix(self, service: Service) -> str:
        """The beginning of a path for a call of our own in his name."""
        version = "/" + service.versions[0]
        return f"{version}/{self.project_id}" if service.name == "volume" else version
