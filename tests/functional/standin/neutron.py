"""A stateful Neutron: generic rows here, what is special to a resource in the neutron_* files beside."""
import copy
import uuid
from urllib.parse import urlencode

from tests.functional.standin import doors
from tests.functional.standin.neutron_addresses import Addresses
from tests.functional.standin.neutron_agents import Agents
from tests.functional.standin.neutron_floating import Floating
from tests.functional.standin.neutron_forwarding import Forwarding
from tests.functional.standin.neutron_kinds import BODY_NAMES, CORE, KINDS, Kind, several
from tests.functional.standin.neutron_policies import TEMPLATES, Policies
from tests.functional.standin.neutron_pools import Pools
from tests.functional.standin.neutron_quotas import Quotas
from tests.functional.standin.neutron_routers import Routers
from tests.functional.standin.neutron_security import Security
from tests.functional.standin.neutron_tags import Tags
from tests.functional.standin.neutron_topologies import Topologies
from tests.functional.standin.service import Service, new_id, ordered, page, recorded, stamp, visible
from tests.functional.standin.web import Refused, Request, Response

INT_DIGITS = 4300   # of which int() makes a number
PAGING = ("fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir")
KNOWN_MARKERS = ("networks", "ports", "routers")   # elsewhere Neutron passes over a marker that it does not find
ALWAYS_WRITTEN = ("routers", "subnets", "subnetpools")   # a PUT without fields raises their revision number


class Neutron(Addresses, Agents, Floating, Forwarding, Pools, Policies, Routers, Security, Tags, Topologies, Quotas,
              Service):
    """The network service of a pod."""

    name = "network"
    open_paths = ("/",)
    compares_twice = False

    def __init__(self, pod):
        self.templates = recorded("network") | TEMPLATES
        self.segment = 100
        self._stored = {}
        super().__init__(pod)

    def table(self):
        """Generic routes for each kind, and the few that are no collections."""
        table = [("GET", "/", self.versions), ("GET", "/v2.0/", self.resources),
                 ("GET", "/v2.0/extensions", self.extensions), ("GET", "/v2.0/extensions/{alias}", self.extension),
                 ("GET", "/v2.0/availability_zones", self.fixed_list("availability_zones")),
                 ("GET", "/v2.0/agents", self.fixed_list("agents")),
                 ("GET", "/v2.0/segments", self.segments),
                 ("GET", "/v2.0/network-ip-availabilities", self.availabilities),
                 *self.quota_table()]
        for action in ("add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes"):
            table.append(("PUT", f"/v2.0/routers/{{id}}/{action}", getattr(self, action)))
        for plural, kind in KINDS.items():
            table += [("GET", f"/v2.0/{plural}", self.bound(self.index, plural)),
                      ("POST", f"/v2.0/{plural}", self.bound(self.create, plural)),
                      ("GET", f"/v2.0/{plural}/{{id}}", self.bound(self.show, plural)),
                      ("DELETE", f"/v2.0/{plural}/{{id}}", self.bound(self.delete, plural))]
            if kind.updatable:
                table.append(("PUT", f"/v2.0/{plural}/{{id}}", self.bound(self.update, plural)))
        return [*table, *self.tags_table(), *self.agents_table(), *self.policies_table(), *self.pools_table(),
                *self.forwarding_table(), *self.topologies_table()]

    @staticmethod
    def bound(function, plural):
        """A route's function that knows its collection."""
        return lambda request, **match: function(request, plural, **match)

    def error(self, refused):
        """{"NeutronError": ...}."""
        kind = refused.kind or {400: "HTTPBadRequest", 404: "HTTPNotFound"}.get(refused.status, "Conflict")
        if refused.status in (405, 415):
            return {"NeutronError": {"type": "HTTPMethodNotAllowed", "message": refused.message, "detail": ""}}
        return {"NeutronError": {"type": kind, "message": refused.message, "detail": ""}}

    def normal(self, request):
        """Neutron has many spellings of a path."""
        request.path = doors.neutron(request.path)

    # Versions, extensions, quotas

    def versions(self, request):
        """GET /."""
        return Response(200, {"versions": [{"id": "v2.0", "status": "CURRENT",
                                            "links": [{"rel": "self", "href": f"{request.base}/v2.0/"}]}]})

    def resources(self, request):
        """GET /v2.0/."""
        links = [{"rel": "self", "href": f"{request.base}/v2.0/{name}"} for name in KINDS]
        return Response(200, {"resources": [{"name": kind.singular, "collection": BODY_NAMES[plural], "links": [link]}
                                            for (plural, kind), link in zip(KINDS.items(), links, strict=True)]})

    def extensions(self, request):
        """GET /v2.0/extensions."""
        return Response(200, {"extensions": self.templates["extensions"]})

    def extension(self, request, alias):
        """One extension."""
        for each in self.templates["extensions"]:
            if each["alias"] == alias:
                return Response(200, {"extension": each})
        raise Refused(404, f"Extension with alias {alias} does not exist", "HTTPNotFound")

    def segments(self, request):
        """GET: each network has one."""
        rows = [{"id": str(uuid.uuid5(uuid.NAMESPACE_OID, id)), "network_id": id, "network_type": "vlan",
                 "description": None} for id in self.shelf("networks")]
        return Response(200, {"segments": rows if request.who.admin else []})

    def availabilities(self, request):
        """GET, for administrators."""
        rows = [{"network_id": id, "network_name": row["name"], "project_id": row["project_id"], "used_ips": 0}
                for id, row in self.shelf("networks").items()]
        return Response(200, {"network_ip_availabilities": rows if request.who.admin else []})

    def fixed_list(self, name):
        """A list that never changes."""
        return lambda request: Response(200, {name: self.templates[name]})

    # Reading

    def may_see(self, who, plural: str, row: dict) -> bool:
        """Whether a row is there for a caller."""
        if who.admin or row.get("project_id") == who.project.id or row.get("shared") or row.get("router:external"):
            return True
        if self.shared_with(who, row["id"]):
            return True
        group = self.shelf("security-groups").get(row.get("security_group_id"))
        if group and group["project_id"] == who.project.id:
            return True     # whosever the rule is
        network = self.shelf("networks").get(row.get("network_id"))
        if plural == "subnets" and network:
            return bool(network["shared"] or network["router:external"] or self.shared_with(who, network["id"]))
        return bool(plural == "ports" and network and network["project_id"] == who.project.id)

    def own(self, who, plural: str, id: str) -> dict:
        """A visible row, or this kind's 404."""
        row = self.shelf(plural).get(id)
        if row is None or not self.may_see(who, plural, row):
            raise self.absent(plural, id)
        return row

    @staticmethod
    def absent(plural: str, id: str | None) -> Refused:
        """A kind's own 404."""
        singular = KINDS[plural].singular
        kind = "".join(part.capitalize() for part in singular.split("_")) + "NotFound"
        kind = {"FloatingipNotFound": "FloatingIPNotFound"}.get(kind, kind)
        return Refused(404, f"{singular.replace('_', ' ').capitalize()} {id} could not be found.", kind)

    def view(self, plural: str, row: dict, wanted: list[str] | None = None, who=None) -> dict:
        """A row as it is answered."""
        # `fields=` asks for nothing less; core resources are cut to it all the same.
        found, wanted = visible(row), [name for name in wanted or () if name or plural in CORE]
        if plural == "security-groups":
            found["security_group_rules"] = [visible(rule) for rule in self.shelf("security-group-rules").values()
                                             if rule["security_group_id"] == row["id"]]
        if plural == "networks":
            found["subnets"] = [s["id"] for s in self.shelf("subnets").values() if s["network_id"] == row["id"]]
        if plural == "floatingips":
            found |= {"port_details": self.details_of(row), "port_forwardings": self.forwardings_of(row)}
        mere = who is not None and not who.admin
        hidden = self.templates["admin_only"].get(KINDS[plural].singular, ()) if mere else ()
        return {name: value for name, value in found.items() if name not in hidden and (not wanted or name in wanted)}

    def index(self, request, plural):
        """GET of a collection."""
        if plural in ("security-groups", "security-group-rules"):
            self.ensure_default(request.who.project.id)
        rows = [row for row in self.shelf(plural).values() if self.may_see(request.who, plural, row)]
        given = request.args()
        for name, values in given.items():
            if name not in PAGING and not name.startswith("provider:"):
                rows = [row for row in rows if self._fits(plural, row, name, values)]
        limit, backwards = self._limit(request), request.arg("page_reverse", "").lower() == "true"
        marker = request.arg("marker") if limit else None       # Neutron looks at it only when it pages
        if plural not in KNOWN_MARKERS and marker not in [row["id"] for row in rows]:
            marker = None
        keys, directions = given.get("sort_key", []), given.get("sort_dir", [])
        if len(keys) != len(directions):
            raise Refused(400, "The number of sort_keys and sort_dirs must be same", "HTTPBadRequest")
        if keys or limit:
            rows = ordered(rows, request, [*keys, "id"], [*directions, "asc"])
        if backwards and limit:
            rows.reverse()
        name = BODY_NAMES[plural]
        rows, _ = page(rows, limit, marker, self.absent(plural, marker))
        if backwards and limit:
            rows.reverse()
        for late in (each for each in given if each.startswith("provider:")):   # ML2 looks at what the page has
            rows = [row for row in rows if self._fits(plural, row, late, given[late])]
        answer = {name: [self.view(plural, row, given.get("fields"), request.who) for row in rows]}
        links = self._page_links(request, [row["id"] for row in rows], limit, backwards) if limit else []
        if links:
            answer[f"{name}_links"] = links
        return Response(200, answer)

    @staticmethod
    def _page_links(request, ids, limit, backwards):
        """As Neutron makes them: a full page promises another one, in whichever direction it was read."""
        kept = [(name, value) for name, value in request.query if name not in ("marker", "page_reverse")]
        links = []
        for rel, position, more in (("next", -1, {}), ("previous", 0, {"page_reverse": "True"})):
            if len(ids) == limit or backwards == (rel == "next"):
                query = [*kept, *([("marker", ids[position])] if ids else []), *more.items()]
                links.append({"rel": rel, "href": f"{request.base}{request.path}?{urlencode(query)}"})
        return links

    @staticmethod
    def _limit(request):
        limit = request.arg("limit")
        if limit is None:
            return None
        if not limit.isdecimal() or len(limit) > INT_DIGITS:
            raise Refused(400, f"Bad limit request: {limit}", "BadRequest")
        return int(limit) or None

    def _fits(self, plural, row, name, values):
        name = {"tenant_id": "project_id"}.get(name, name)
        if name == "fixed_ips":
            parts = [value.split("=", 1) for value in values]
            return all(any(ip.get(key.split("_substr")[0]) == value for ip in row["fixed_ips"]) for key, value in parts)
        if name in ("tags", "tags-any"):
            return set(",".join(values).split(",")) <= set(row["tags"])
        if name not in row and name not in KINDS[plural].checks:
            raise Refused(400, f"'{name}' is invalid attribute for filtering", "HTTPBadRequest")
        value = row.get(name)
        if isinstance(value, bool):
            return any(each.lower() in ("true", "1") for each in values) == value
        if isinstance(value, list):
            return bool(set(map(str, value)) & set(values))
        return str("" if value is None else value) in values

    def show(self, request, plural, id):
        """GET of a member."""
        row = self.own(request.who, plural, id)
        shown = self.view(plural, row, request.args().get("fields"), request.who)
        return Response(200, {KINDS[plural].singular: shown})

    # Writing

    def _member(self, request: Request, name: str) -> dict:
        given = self.body(request).get(name)
        if not isinstance(given, dict):
            raise Refused(400, f"Unable to find '{name}' in request body", "HTTPBadRequest")
        return given

    def _checked(self, checks: dict, given: dict) -> dict:
        unknown = [name for name in given if name not in checks]
        if unknown:
            raise Refused(400, f"Unrecognized attribute(s) '{', '.join(unknown)[:200]}'", "HTTPBadRequest")
        found = {}
        for name, value in given.items():
            try:
                found[name] = checks[name](value)
            except ValueError as error:
                raise Refused(400, f"Invalid input for {name}. Reason: {error}",
                              "InvalidInput" if name == "cidr" else "HTTPBadRequest") from None
        return found

    def _owner(self, who, given: dict) -> str:
        wanted = given.pop("project_id", None) or given.get("tenant_id") or who.project.id
        given.pop("tenant_id", None)
        if wanted != who.project.id and not who.admin:
            raise Refused(400, "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request "
                               "requires admin privileges", "HTTPBadRequest")
        return wanted

    def _allowed(self, who, kind: Kind, given: dict) -> None:
        for name in kind.admin_only:
            if name in given and not who.admin and given[name] not in (False, None, {}):
                raise Refused(403, f"(rule:create_{kind.singular} and rule:create_{kind.singular}:{name}) is "
                                   "disallowed by policy", "PolicyNotAuthorized")

    def create(self, request, plural):
        """POST: one member, or several under the plural name."""
        kind, body = KINDS[plural], self.body(request)
        self.writer(request, f"create_{kind.singular}")
        bulk = several(plural, body)
        if bulk:
            rows = []
            kept = copy.deepcopy(self.shelves)
            try:
                rows = [self.make(request.who, plural, each) for each in bulk]
            except Refused:
                self.shelves = kept        # all or nothing
                raise
            return Response(201, {BODY_NAMES[plural]: [self._written(request, plural, row) for row in rows]})
        row = self.make(request.who, plural, self._member(request, kind.singular))
        return Response(201, {kind.singular: self._written(request, plural, row)})

    def _written(self, request, plural, row):
        """A row as it is answered to a write."""
        return self.view(plural, row, request.args().get("fields") if plural in CORE else None, request.who)

    def make(self, who, plural: str, body: dict) -> dict:
        """Check a member's body and put its row on the shelf."""
        kind = KINDS[plural]
        given = self._checked(kind.checks, body)
        missing = [name for name in kind.required if name not in given]
        if missing:
            raise Refused(400, f"Failed to parse request. Required attribute '{missing[0]}' not specified",
                          "HTTPBadRequest")
        self._allowed(who, kind, given)
        self.check_policy(who, given)
        owner = self._owner(who, given)
        if plural in ("networks", "ports", "security-groups"):
            self.ensure_default(owner)
        self.reserve(owner, kind.singular)
        row = self.put(plural, owner, given)
        try:
            getattr(self, f"created_{_word(plural)}", lambda *_: None)(who, row, given)
        except Refused:
            del self.shelf(plural)[row["id"]]
            raise
        return row

    def put(self, plural: str, owner: str, given: dict) -> dict:
        """A new row shaped like the recorded answer."""
        row = copy.deepcopy(self.templates[KINDS[plural].singular])
        row |= {"id": new_id(), "tenant_id": owner, "project_id": owner}
        row |= {name: stamp() for name in ("created_at", "updated_at") if name in row}
        row |= {name: value for name, value in given.items() if value is not None or name in row}
        self.shelf(plural)[row["id"]] = row
        return row

    def update(self, request, plural, id):
        """PUT of a member."""
        kind = KINDS[plural]
        given = self._checked(kind.checks, self._member(request, kind.singular))
        fixed = [name for name in given if name in kind.fixed]
        if fixed:
            raise Refused(400, f"Cannot update read-only attribute {fixed[0]}", "HTTPBadRequest")
        written = bool(given) or plural in ALWAYS_WRITTEN
        row = self._changeable(request, plural, id, f"update_{kind.singular}", written)
        self._allowed(request.who, kind, given)
        self.check_policy(request.who, given)
        before = copy.deepcopy(row)
        row |= given
        try:
            getattr(self, f"updated_{_word(plural)}", lambda *_: None)(request.who, row, given)
        except Refused:
            row.clear()
            row.update(before)
            raise
        if "updated_at" in row and (row != before or (written and not given)):   # Neutron counts rows that were written
            row["updated_at"] = stamp()
            self.revise(row)
        shown = self._written(request, plural, row)
        if plural == "subnetpools" and not shown.get("address_scope_id"):
            shown.pop("address_scope_id", None)    # so Zed's answer to a PUT, and to no GET
        return Response(200, {kind.singular: shown})

    def _changeable(self, request, plural, id, what, written=True):
        row = self.own(request.who, plural, id)
        self.writer(request, what)
        if not request.who.admin and row["project_id"] != request.who.project.id:
            raise Refused(403, f"rule:{what} is disallowed by policy", "PolicyNotAuthorized")
        if what == "update_subnetpool" and not row["prefixes"]:
            raise Refused(400, "Empty subnet pool prefix list.", "EmptySubnetPoolPrefixList")
        scope = self.shelf("address-scopes").get(row.get("address_scope_id")) if what == "update_subnetpool" else None
        if scope and not request.who.admin and scope["project_id"] != request.who.project.id:
            raise Refused(400, f"Illegal subnetpool update : subnetpool {row['id']} cannot be updated when associated "
                               f"with shared address scope {scope['id']}.", "IllegalSubnetPoolUpdate")
        wanted = request.headers.get("if-match", "").partition("revision_number=")[2] if written else ""
        # Before Wallaby the number is compared again after the subnets are gone (bug 1909008).
        twice = self.compares_twice and plural == "networks" and bool(self._subnets(row["id"]))
        if wanted and (twice or int(wanted) != row.get("revision_number")):
            raise Refused(412, f"Constrained to {wanted}, but current revision is {row.get('revision_number')}",
                          "RevisionNumberConstraintFailed")
        return row

    def revise(self, row):
        """Count a write; one to a subnet is one to its network, too."""
        row["revision_number"] = row.get("revision_number", 0) + 1
        if "cidr" in row and row["network_id"] in self.shelf("networks"):
            self.revise(self.shelf("networks")[row["network_id"]])

    def delete(self, request, plural, id):
        """DELETE of a member."""
        row = self._changeable(request, plural, id, f"delete_{KINDS[plural].singular}")
        getattr(self, f"deleted_{_word(plural)}", lambda *_: None)(request.who, row)
        self.shelf(plural).pop(id, None)
        self.revise(row)
        return Response(204)


def _word(plural: str) -> str:
    """A collection as a part of a function's name."""
    return plural.replace("-", "_").replace("/", "_")
