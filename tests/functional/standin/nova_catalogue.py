"""Flavors, keypairs and server groups: what a server is made from."""
import copy
import hashlib

from tests.functional.standin import checks as c
from tests.functional.standin.service import new_id
from tests.functional.standin.web import Refused, Response

SPECS = c.mapping(0, c.either(c.text(255), c.integer()))
FLAVOR = c.fields(
    ("name", "ram", "vcpus", "disk"), name=c.text(255, 1), id=c.nullable(c.either(c.text(255, 1), c.integer())),
    flavorid=c.nullable(c.text()), ram=c.integer(1), vcpus=c.integer(1), disk=c.integer(0), swap=c.integer(0),
    OS_FLV_EXT_DATA__ephemeral=c.integer(0), rxtx_factor=c.anything, description=c.nullable(c.text(65535)),
    os_flavor_access__is_public=c.boolean)
KEYPAIR = c.fields(("name",), name=c.text(255, 1), public_key=c.text(16384, 1, r"^(ssh|ecdsa)-[\w-]+ \S+"),
                   type=c.one_of("ssh", "x509"), user_id=c.text())
GROUP = c.fields(("name",), name=c.text(255, 1), rules=c.fields(max_server_per_host=c.integer(1)),
                 policy=c.one_of("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"),
                 policies=c.many(c.one_of("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"), 1))


class Catalogue:
    """Mixed into `Nova`."""

    def catalogue_table(self, v):
        """Routes."""
        specs = f"{v}/flavors/{{id}}/os-extra_specs"
        return [("GET", f"{v}/flavors", self.flavors), ("GET", f"{v}/flavors/detail", self.flavors_detail),
                ("POST", f"{v}/flavors", self.flavor_create), ("GET", f"{v}/flavors/{{id}}", self.flavor),
                ("PUT", f"{v}/flavors/{{id}}", self.flavor_update),
                ("DELETE", f"{v}/flavors/{{id}}", self.flavor_delete),
                ("POST", f"{v}/flavors/{{id}}/action", self.flavor_action),
                ("GET", f"{v}/flavors/{{id}}/os-flavor-access", self.flavor_access),
                ("GET", specs, self.specs), ("POST", specs, self.specs_add), ("GET", specs + "/{key}", self.spec),
                ("PUT", specs + "/{key}", self.spec), ("DELETE", specs + "/{key}", self.spec),
                ("GET", f"{v}/os-keypairs", self.keypairs), ("POST", f"{v}/os-keypairs", self.keypair_create),
                ("GET", f"{v}/os-keypairs/{{name}}", self.keypair),
                ("DELETE", f"{v}/os-keypairs/{{name}}", self.keypair_delete),
                ("GET", f"{v}/os-server-groups", self.groups), ("POST", f"{v}/os-server-groups", self.group_create),
                ("GET", f"{v}/os-server-groups/{{id}}", self.group),
                ("DELETE", f"{v}/os-server-groups/{{id}}", self.group)]

    # Flavors

    def _flavor_view(self, request, row):
        found = {**self.plain(row), "links": self.links(request, "flavors", row["id"])}
        if request.version >= (2, 55):
            found["description"] = row.get("_description")
        if request.version >= (2, 61):
            found["extra_specs"] = row["_specs"]
        return found

    def _flavors_seen(self, request):
        project = request.who.project.id
        rows = [row for row in self.shelf("flavors").values()
                if row["os-flavor-access:is_public"] or request.who.admin or project in row["_access"]]
        public = request.arg("is_public", "true").lower()
        if request.who.admin and public in ("true", "false", "1", "0"):
            rows = [row for row in rows if row["os-flavor-access:is_public"] == (public in ("true", "1"))]
        for name, column in (("minRam", "ram"), ("minDisk", "disk")):
            least = self.number(request, name)
            rows = [row for row in rows if row[column] >= (least or 0)]
        key = {"flavorid": "id", "memory_mb": "ram", "root_gb": "disk"}.get(request.arg("sort_key", "flavorid"), "id")
        return sorted(rows, key=lambda row: row.get(key, row["id"]), reverse=request.arg("sort_dir") == "desc")

    def flavors(self, request):
        """GET flavors."""
        more = ("_description",) if request.version >= (2, 55) else ()

        def view(row):
            found = self.brief(request, "flavors", row, *more)
            return {key.removeprefix("_"): value for key, value in found.items()}
        return self.listing(request, "flavors", self._flavors_seen(request), view)

    def flavors_detail(self, request):
        """GET flavors/detail."""
        return self.listing(request, "flavors", self._flavors_seen(request),
                            lambda row: self._flavor_view(request, row))

    def flavor_create(self, request):
        """POST flavors."""
        self.admin(request, "os_compute_api:os-flavor-manage:create")
        given = self.checked(FLAVOR, self.member(request, "flavor"))
        id = str(given.get("id") or given.pop("flavorid", None) or new_id())
        id = new_id() if id == "auto" else id
        if id in self.shelf("flavors"):
            raise Refused(409, f"Flavor with ID {id} already exists.")
        if any(row["name"] == given["name"] for row in self.shelf("flavors").values()):
            raise Refused(409, f"Flavor with name {given['name']} already exists.")
        row = copy.deepcopy(self.templates["flavor"]) | {k: v for k, v in given.items() if k != "description"}
        row |= {"id": id, "swap": given.get("swap") or "", "_specs": {}, "_access": [],
                "_description": given.get("description")}
        self.shelf("flavors")[id] = row
        return Response(200, {"flavor": self._flavor_view(request, row)})

    def _flavor(self, request, id):
        row = self.find("flavors", id, f"Flavor {id} could not be found.")
        if not (row["os-flavor-access:is_public"] or request.who.admin or request.who.project.id in row["_access"]):
            raise Refused(404, f"Flavor {id} could not be found.")
        return row

    def flavor(self, request, id):
        """GET flavors/{id}."""
        return Response(200, {"flavor": self._flavor_view(request, self._flavor(request, id))})

    def flavor_update(self, request, id):
        """PUT flavors/{id}: the description."""
        self.admin(request, "os_compute_api:os-flavor-manage:update")
        if request.version < (2, 55):
            raise Refused(404, "The resource could not be found.")
        row = self._flavor(request, id)
        row["_description"] = self.checked(c.fields(description=c.nullable(c.text(65535))),
                                           self.member(request, "flavor")).get("description")
        return Response(200, {"flavor": self._flavor_view(request, row)})

    def flavor_delete(self, request, id):
        """DELETE flavors/{id}."""
        self.admin(request, "os_compute_api:os-flavor-manage:delete")
        self._flavor(request, id)
        del self.shelf("flavors")[id]
        return Response(202)

    def _access(self, row):
        return Response(200, {"flavor_access": [{"flavor_id": row["id"], "tenant_id": p} for p in row["_access"]]})

    def flavor_access(self, request, id):
        """GET os-flavor-access."""
        row = self._flavor(request, id)
        if row["os-flavor-access:is_public"]:
            raise Refused(404, "Access list not available for public flavors.")
        return self._access(row)

    def flavor_action(self, request, id):
        """addTenantAccess and removeTenantAccess."""
        self.admin(request, "os_compute_api:os-flavor-access:add_tenant_access")
        tenant = c.fields(("tenant",), tenant=c.text(255, 1))
        given = self.checked(c.fields(addTenantAccess=tenant, removeTenantAccess=tenant), self.body(request))
        if len(given) != 1:
            raise Refused(400, "There is no such action")
        row = self._flavor(request, id)
        for name, value in given.items():
            has = value["tenant"] in row["_access"]
            if name == "addTenantAccess":
                if has:
                    raise Refused(409, f"Flavor access already exists for flavor {id} and project {value['tenant']}.")
                row["_access"].append(value["tenant"])
            else:
                if not has:
                    raise Refused(404, f"Flavor access not found for {id} / {value['tenant']} combination.")
                row["_access"].remove(value["tenant"])
        return self._access(row)

    def specs(self, request, id):
        """GET os-extra_specs."""
        return Response(200, {"extra_specs": self._flavor(request, id)["_specs"]})

    def specs_add(self, request, id):
        """POST os-extra_specs."""
        self.admin(request, "os_compute_api:os-flavor-extra-specs:create")
        given = self.checked(SPECS, self.member(request, "extra_specs"))
        self._flavor(request, id)["_specs"] |= given
        return Response(200, {"extra_specs": given})

    def spec(self, request, id, key):
        """One extra spec."""
        specs = self._flavor(request, id)["_specs"]
        if request.method == "PUT":
            self.admin(request, "os_compute_api:os-flavor-extra-specs:update")
            given = self.checked(SPECS, self.body(request))
            if list(given) != [key]:
                raise Refused(400, "Request body and URI mismatch")
            specs |= given
        if key not in specs:
            raise Refused(404, f"Flavor {id} has no extra specs with key {key}.")
        if request.method == "DELETE":
            self.admin(request, "os_compute_api:os-flavor-extra-specs:delete")
            del specs[key]
            return Response(200)
        return Response(200, {key: specs[key]})

    # Keypairs: a user's, whatever the project

    def keys_of(self, user: str) -> dict[str, dict]:
        """A user's keypairs by name."""
        return {row["name"]: row for row in self.shelf("keypairs").values() if row["user_id"] == user}

    def _key_view(self, request, row):
        names = ["name", "public_key", "fingerprint"] + (["type"] if request.version >= (2, 2) else [])
        return {name: row[name] for name in names}

    def keypairs(self, request):
        """GET os-keypairs."""
        keys = sorted(self.keys_of(self._key_user(request)).values(), key=lambda row: row["name"])
        marker = request.arg("marker") if request.version >= (2, 35) else None
        if marker is not None and marker not in self.keys_of(self._key_user(request)):
            raise Refused(400, f"Marker {marker} could not be found.")
        return Response(200, {"keypairs": [{"keypair": self._key_view(request, row)} for row in keys]})

    def _key_user(self, request):
        wanted = request.arg("user_id", request.who.user.id) if request.version >= (2, 10) else request.who.user.id
        if wanted != request.who.user.id:
            self.admin(request, "os_compute_api:os-keypairs:index")
        return wanted

    def keypair_create(self, request):
        """POST os-keypairs."""
        given = self.checked(KEYPAIR, self.member(request, "keypair"))
        owner = given.get("user_id", request.who.user.id)
        if owner != request.who.user.id:
            self.admin(request, "os_compute_api:os-keypairs:create")
        if given["name"] in self.keys_of(owner):
            raise Refused(409, f"Key pair '{given['name']}' already exists.")
        if request.version >= (2, 92) and "public_key" not in given:
            raise Refused(400, "Invalid input for field/attribute keypair. 'public_key' is a required property")
        self.check_keypairs(request, len(self.keys_of(owner)))
        row = copy.deepcopy(self.templates["keypair"]) | {"public_key": f"ssh-rsa {new_id()}"} | given
        digest = hashlib.md5(row["public_key"].encode()).hexdigest()
        row |= {"fingerprint": ":".join(digest[i:i + 2] for i in range(0, 32, 2)), "user_id": owner}
        self.shelf("keypairs")[f"{owner} {row['name']}"] = row
        shown = {**self._key_view(request, row), "user_id": owner}
        if "public_key" not in given:
            shown["private_key"] = "-----BEGIN RSA PRIVATE KEY-----\nstandin\n-----END RSA PRIVATE KEY-----\n"
        return Response(201 if request.version >= (2, 2) else 200, {"keypair": shown})

    def _key(self, request, name):
        found = self.keys_of(self._key_user(request)).get(name)
        if not found:
            raise Refused(404, f"Keypair {name} not found for user {request.who.user.id}")
        return found

    def keypair(self, request, name):
        """GET os-keypairs/{name}."""
        row = self._key(request, name)
        more = {"user_id": row["user_id"], "id": 1, "created_at": "2026-11-23T00:00:00.000000", "updated_at": None,
                "deleted": False, "deleted_at": None}
        return Response(200, {"keypair": {**self._key_view(request, row), **more}})

    def keypair_delete(self, request, name):
        """DELETE os-keypairs/{name}."""
        row = self._key(request, name)
        del self.shelf("keypairs")[f"{row['user_id']} {name}"]
        return Response(204 if request.version >= (2, 2) else 202)

    # Server groups

    def groups(self, request):
        """GET os-server-groups."""
        rows = [row for row in self.shelf("server_groups").values() if row["_project"] == request.who.project.id
                or (request.who.admin and request.arg("all_projects"))]
        return Response(200, {"server_groups": [self._group_view(request, row) for row in rows]})

    def _group_view(self, request, row):
        found = {**self.plain(row), "members": [id for id in row["members"] if id in self.shelf("servers")]}
        if request.version >= (2, 13):
            found |= {"project_id": row["_project"], "user_id": row["_user"]}
        if request.version >= (2, 64):
            found |= {"policy": row["policies"][0], "rules": row["_rules"]}
            for name in ("policies", "metadata"):
                found.pop(name)
        return found

    def group_create(self, request):
        """POST os-server-groups."""
        self.writer(request, "os_compute_api:os-server-groups:create")
        given = self.checked(GROUP, self.member(request, "server_group"))
        wanted = "policy" if request.version >= (2, 64) else "policies"
        if wanted not in given:
            raise Refused(400, f"Invalid input for field/attribute server_group. '{wanted}' is a required property")
        self.check_server_groups(request)
        row = copy.deepcopy(self.templates["server_group"]) | {
            "id": new_id(), "name": given["name"], "members": [], "_project": request.who.project.id,
            "_user": request.who.user.id, "_rules": given.get("rules", {}),
            "policies": given.get("policies") or [given["policy"]]}
        self.shelf("server_groups")[row["id"]] = row
        return Response(200, {"server_group": self._group_view(request, row)})

    def group(self, request, id):
        """Show or delete a server group."""
        row = self.find("server_groups", id, f"Instance group {id} could not be found.")
        if row["_project"] != request.who.project.id and not request.who.admin:
            raise Refused(404, f"Instance group {id} could not be found.")
        if request.method == "DELETE":
            self.writer(request, "os_compute_api:os-server-groups:delete")
            del self.shelf("server_groups")[id]
            return Response(204)
        return Response(200, {"server_group": self._group_view(request, row)})
