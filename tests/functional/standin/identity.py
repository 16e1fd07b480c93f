"""Who is who: projects, users, roles, tokens and the service catalogue."""
import dataclasses
import datetime
import threading
import uuid
from dataclasses import dataclass, field

PASSWORD = "standin-secret"
ROLES = ("admin", "manager", "member", "reader", "service")


@dataclass(frozen=True)
class Project:
    """A project of domain Default."""

    id: str
    name: str


@dataclass(frozen=True)
class User:
    """A user of domain Default, with his roles on projects: {project name: [role names]}."""

    id: str
    name: str
    password: str
    roles: dict[str, list[str]] = field(hash=False)


@dataclass(frozen=True)
class Token:
    """A token, of a project unless `scope` says otherwise.

    Args:
        scope: `project`, `domain`, `system` or `none`.
        rules: the access rules of an application credential.
        admin_project: False where the cloud has an admin project, which is another one.
    """

    id: str
    user: User
    project: Project
    roles: tuple[str, ...]
    issued: str
    expires: str
    scope: str = "project"
    rules: tuple[dict, ...] | None = None
    admin_project: bool = True

    @property
    def admin(self) -> bool:
        """Whether pods let it do everything."""
        return "admin" in self.roles


class Identity:
    """Keystone's data; the pods look tokens up here directly, as if each had them cached."""

    def __init__(self):
        self._lock = threading.Lock()
        self.projects: dict[str, Project] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.services: dict[str, dict] = {}
        self.endpoints: list[dict] = []
        self.regions: list[str] = []
        self.user("admin", {"admin": ["admin", "manager", "member", "reader"]})
        self.user("tricircle", {"service": ["admin", "service"]})
        self.user("alice", {"alpha": ["member", "reader"]})
        self.user("bob", {"beta": ["member", "reader"]})
        self.user("rita", {"alpha": ["reader"]})

    def project(self, name: str) -> Project:
        """A project by name; made when it is not there."""
        with self._lock:
            if name not in self.projects:
                self.projects[name] = Project(uuid.uuid4().hex, name)
            return self.projects[name]

    def user(self, name: str, roles: dict[str, list[str]]) -> User:
        """Make a user."""
        for project in roles:
            self.project(project)
        with self._lock:
            self.users[name] = User(uuid.uuid4().hex, name, PASSWORD, roles)
            return self.users[name]

    def login(self, name: str, project: str | None = None, seconds: int = 3600) -> Token:
        """A fresh token for a user, on his only (or the named) project."""
        user = self.users[name]
        scope = self.projects[project or next(iter(user.roles))]
        start = datetime.datetime.now(datetime.UTC)
        end = start + datetime.timedelta(seconds=seconds)
        token = Token("gAAAAA" + uuid.uuid4().hex * 4, user, scope, tuple(user.roles[scope.name]),
                      _stamp(start), _stamp(end))
        with self._lock:
            self.tokens[token.id] = token
        return token

    def newcomer(self, roles: tuple[str, ...] = ("member", "reader")) -> Token:
        """The token of a new user in a new project: what one test does is not in the way of another."""
        name = f"user-{uuid.uuid4().hex[:8]}"
        self.user(name, {f"project-{name}": list(roles)})
        return self.login(name)

    def like(self, token: Token, **changes) -> Token:
        """A token like another one, but for its scope or its rules."""
        made = dataclasses.replace(token, id="gAAAAA" + uuid.uuid4().hex * 4, **changes)
        with self._lock:
            self.tokens[made.id] = made
        return made

    def find(self, token: str | None) -> Token | None:
        """A token that is good now."""
        found = self.tokens.get(token or "")
        return found if found and found.expires > _stamp(datetime.datetime.now(datetime.UTC)) else None

    def revoke(self, token: str) -> None:
        """Throw a token away."""
        with self._lock:
            self.tokens.pop(token, None)

    def serve(self, region: str, name: str, kind: str, url: str) -> None:
        """Put a service's endpoints into the catalogue, one for each interface."""
        with self._lock:
            if region not in self.regions:
                self.regions.append(region)
            known = [s for s in self.services.values() if s["name"] == name and s["type"] == kind]
            service = known[0] if known else {"id": uuid.uuid4().hex, "name": name, "type": kind, "enabled": True,
                                              "description": ""}
            self.services[service["id"]] = service
            for interface in ("public", "internal", "admin"):
                self.endpoints.append({"id": uuid.uuid4().hex, "interface": interface, "region": region,
                                       "region_id": region, "service_id": service["id"], "url": url, "enabled": True})

    def withdraw(self, region: str) -> list[dict]:
        """Take a region out of the catalogue; its endpoints, for `bring_back`."""
        with self._lock:
            gone = [each for each in self.endpoints if each["region"] == region]
            self.endpoints = [each for each in self.endpoints if each["region"] != region]
            return gone

    def bring_back(self, endpoints: list[dict]) -> None:
        """Put endpoints into the catalogue again."""
        with self._lock:
            self.endpoints = self.endpoints + endpoints

    def catalogue(self, project: str) -> list[dict]:
        """The catalogue in a token of that project id."""
        entries = []
        for service in self.services.values():
            mine = [{**{k: e[k] for k in ("id", "interface", "region", "region_id")},
                     "url": e["url"].replace("%(project_id)s", project).replace("$(project_id)s", project)}
                    for e in self.endpoints if e["service_id"] == service["id"]]
            entries.append({"id": service["id"], "name": service["name"], "type": service["type"], "endpoints": mine})
        return entries


def _stamp(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
