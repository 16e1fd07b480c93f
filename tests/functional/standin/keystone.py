"""Keystone, as far as clients, keystonemiddleware and Tricircle's own account use it."""
import json

from tests.functional.standin.identity import Identity, Project, Token, User
from tests.functional.standin.routes import Routes
from tests.functional.standin.web import Refused, Request, Response, request_id

DOMAIN = {"id": "default", "name": "Default"}
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


class Keystone:
    """The service; `Server(Keystone(identity).serve)`."""

    def __init__(self, identity: Identity):
        self.identity = identity
        self.routes = Routes([
            ("GET", "/", self.versions), ("GET", "/v3", self.version), ("GET", "/v3/", self.version),
            ("POST", "/v3/auth/tokens", self.login),
            ("GET", "/v3/auth/tokens", self.validate), ("HEAD", "/v3/auth/tokens", self.validate),
            ("DELETE", "/v3/auth/tokens", self.revoke),
            ("GET", "/v3/auth/catalog", self.catalogue), ("GET", "/v3/auth/projects", self.projects),
            ("GET", "/v3/services", self.services), ("GET", "/v3/endpoints", self.endpoints),
            ("GET", "/v3/regions", self.regions), ("GET", "/v3/regions/{id}", self.region),
            ("GET", "/v3/projects", self.projects), ("GET", "/v3/projects/{id}", self.project),
            ("GET", "/v3/users/{id}", self.user)])

    def serve(self, request: Request) -> Response:
        """Answer a request."""
        try:
            handler, match = self.routes.find(request)
            response = handler(request, **match)
        except Refused as refused:
            body = {"error": {"code": refused.status, "message": refused.message,
                              "title": TITLES.get(refused.status, "Error")}}
            response = Response(refused.status, body)
            if refused.status == 401:
                response.headers["WWW-Authenticate"] = f'Keystone uri="{request.base}"'
        response.headers.setdefault("x-openstack-request-id", request_id())
        response.headers.setdefault("Vary", "X-Auth-Token")
        return response

    def _who(self, request: Request, admin: bool = False) -> Token:
        who = self.identity.find(request.headers.get("x-auth-token"))
        if not who:
            raise Refused(401, "The request you have made requires authentication.")
        if admin and not who.admin:
            raise Refused(403, "You are not authorized to perform the requested action.")
        return who

    def _v3(self, request: Request) -> dict:
        return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
                "links": [{"rel": "self", "href": f"{request.base}/v3/"}],
                "media-types": [{"base": "application/json",
                                 "type": "application/vnd.openstack.identity-v3+json"}]}

    def versions(self, request):
        """Discovery at the root."""
        return Response(300, {"versions": {"values": [self._v3(request)]}})

    def version(self, request):
        """Discovery at /v3."""
        return Response(200, {"version": self._v3(request)})

    def login(self, request):
        """A token for a password, or for another token."""
        try:
            auth = json.loads(request.raw)["auth"]
            wanted = auth["identity"]
            user, old = self._authenticate(wanted)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Refused(400, "Invalid input for field 'auth'") from None
        project = self._scope(auth.get("scope"), user, old)
        token = self.identity.login(user.name, project.name)
        return Response(201, self._body(token, "nocatalog" not in dict(request.query)),
                        {"X-Subject-Token": token.id})

    def _authenticate(self, wanted: dict) -> tuple[User, Token | None]:
        if "password" in wanted["methods"]:
            given = wanted["password"]["user"]
            for user in self.identity.users.values():
                if given.get("name") == user.name or given.get("id") == user.id:
                    if given["password"] == user.password:
                        return user, None
                    break
        elif "token" in wanted["methods"]:
            old = self.identity.find(wanted["token"]["id"])
            if old:
                return old.user, old
        raise Refused(401, "The request you have made requires authentication.")

    def _scope(self, scope, user: User, old: Token | None) -> Project:
        wanted = (scope or {}).get("project", {}) if isinstance(scope, dict) else {}
        if not wanted and old:
            return old.project
        for name in user.roles:
            project = self.identity.projects[name]
            if not wanted or wanted.get("id") == project.id or wanted.get("name") == project.name:
                return project
        raise Refused(401, "The request you have made requires authentication.")

    def _body(self, token: Token, catalogue: bool = True) -> dict:
        found = {"methods": ["password"], "issued_at": token.issued, "expires_at": token.expires,
                 "audit_ids": [token.id[6:28]],
                 "user": {"id": token.user.id, "name": token.user.name, "domain": DOMAIN, "password_expires_at": None}}
        if token.scope != "none":
            found["roles"] = [{"id": f"role-{name}", "name": name} for name in token.roles]
        if token.scope == "project":
            found["project"] = {"id": token.project.id, "name": token.project.name, "domain": DOMAIN}
            found["is_domain"] = False
        elif token.scope != "none":
            found[token.scope] = {"domain": DOMAIN, "system": {"all": True}}[token.scope]
        if not token.admin_project:
            found["is_admin_project"] = False
        if token.rules is not None:
            found["application_credential"] = {"id": "a", "name": "a", "restricted": True,
                                               "access_rules": [{"id": "r", **rule} for rule in token.rules]}
        if catalogue:
            found["catalog"] = self.identity.catalogue(token.project.id)
        return {"token": found}

    def validate(self, request):
        """What a token is good for."""
        self._who(request)
        found = self.identity.find(request.headers.get("x-subject-token"))
        if not found:
            raise Refused(404, "Could not find token.")
        return Response(200, self._body(found, "nocatalog" not in dict(request.query)), {"X-Subject-Token": found.id})

    def revoke(self, request):
        """The end of a token."""
        self._who(request)
        self.identity.revoke(request.headers.get("x-subject-token", ""))
        return Response(204)

    def catalogue(self, request):
        """The caller's catalogue."""
        return Response(200, {"catalog": self.identity.catalogue(self._who(request).project.id), "links": {}})

    def services(self, request):
        """All services."""
        self._who(request, admin=True)
        return _listing("services", request, list(self.identity.services.values()))

    def endpoints(self, request):
        """All endpoints, filtered by interface, service_id or region_id."""
        self._who(request, admin=True)
        return _listing("endpoints", request, self.identity.endpoints)

    def regions(self, request):
        """All regions."""
        self._who(request)
        return _listing("regions", request, [_region(name) for name in self.identity.regions])

    def region(self, request, id):
        """One region."""
        self._who(request)
        if id not in self.identity.regions:
            raise Refused(404, f"Could not find region: {id}.")
        return Response(200, {"region": _region(id)})

    def projects(self, request):
        """The caller's projects; an administrator sees all."""
        who = self._who(request)
        names = list(self.identity.projects) if who.admin else list(who.user.roles)
        rows = [_project(self.identity.projects[name]) for name in names]
        return _listing("projects", request, rows)

    def project(self, request, id):
        """One project."""
        self._who(request)
        for project in self.identity.projects.values():
            if project.id == id:
                return Response(200, {"project": _project(project)})
        raise Refused(404, f"Could not find project: {id}.")

    def user(self, request, id):
        """One user."""
        self._who(request)
        for user in self.identity.users.values():
            if user.id == id:
                return Response(200, {"user": {"id": id, "name": user.name, "domain_id": "default", "enabled": True}})
        raise Refused(404, f"Could not find user: {id}.")


def _region(name: str) -> dict:
    return {"id": name, "description": "", "parent_region_id": None}


def _project(project: Project) -> dict:
    return {"id": project.id, "name": project.name, "domain_id": "default", "enabled": True, "is_domain": False,
            "description": "", "parent_id": "default", "tags": [], "options": {}}


def _listing(name: str, request: Request, rows: list[dict]) -> Response:
    wanted = [row for row in rows if all(str(row.get(k)) == v for k, v in request.query if k in row)]
    return Response(200, {name: wanted, "links": {"self": f"{request.base}{request.path}", "next": None,
                                                  "previous": None}})
