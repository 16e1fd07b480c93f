"""Volume types and QoS specs: each has an id of this pod's own; names are unique."""
import copy
from typing import ClassVar

from tests.functional.standin import checks as c
from tests.functional.standin.service import new_id
from tests.functional.standin.web import Refused, Response

SPECS = c.mapping(0, c.nullable(c.text(255)))
TYPE = c.fields(("name",), name=c.text(255, 1), description=c.nullable(c.text(255)), extra_specs=SPECS,
                os_volume_type_access__is_public=c.boolean)
TYPE_UPDATE = c.fields(name=c.nullable(c.text(255)), description=c.nullable(c.text(255)), is_public=c.boolean)
PROJECT = c.fields(("project",), project=c.text(36, 32, r"^[0-9a-f-]+$"))
ENCRYPTION = {"provider": c.text(255), "control_location": c.one_of("front-end", "back-end"),
              "cipher": c.nullable(c.text(255)), "key_size": c.nullable(c.integer(0))}
PUBLIC = "os-volume-type-access:is_public"


class Types:
    """Mixed into `Cinder`."""

    NEW_TYPE: ClassVar = {"_access": [], "_encryption": {}, "_qos": None}

    def types_table(self, v):
        """Routes."""
        one, qos = f"{v}/types/{{id}}", f"{v}/qos-specs/{{id}}"
        return [("GET", f"{v}/types", self.types), ("POST", f"{v}/types", self.type_create),
                ("GET", one, self.type), ("PUT", one, self.type_update), ("DELETE", one, self.type_delete),
                ("POST", one + "/action", self.type_action),
                ("GET", one + "/os-volume-type-access", self.type_access),
                ("GET", one + "/extra_specs", self.type_specs), ("POST", one + "/extra_specs", self.type_specs),
                ("GET", one + "/extra_specs/{key}", self.type_spec),
                ("PUT", one + "/extra_specs/{key}", self.type_spec),
                ("DELETE", one + "/extra_specs/{key}", self.type_spec),
                ("GET", one + "/encryption", self.encryption), ("POST", one + "/encryption", self.encryption),
                ("GET", one + "/encryption/{key}", self.encryption_item),
                ("PUT", one + "/encryption/{key}", self.encryption_item),
                ("DELETE", one + "/encryption/{key}", self.encryption_item),
                ("GET", f"{v}/qos-specs", self.qos_list), ("POST", f"{v}/qos-specs", self.qos_create),
                ("GET", qos, self.qos), ("PUT", qos, self.qos_update), ("DELETE", qos, self.qos_delete),
                ("PUT", qos + "/delete_keys", self.qos_delete_keys),
                ("GET", qos + "/associations", self.qos_associations), ("GET", qos + "/associate", self.qos_associate),
                ("GET", qos + "/disassociate", self.qos_associate),
                ("GET", qos + "/disassociate_all", self.qos_disassociate_all)]

    # Types

    def type_named(self, request, name):
        """The type that a volume is to have."""
        for row in self.shelf("types").values():
            if name in (None, row["id"], row["name"]) and self._type_seen(request, row):
                return row
        raise Refused(404, f"Volume type with name {name} could not be found.")

    @staticmethod
    def _type_seen(request, row):
        return row["is_public"] or request.who.admin or request.who.project.id in row["_access"]

    def _type(self, request, id):
        row = self.find("types", id, f"Volume type {id} could not be found.")
        if not self._type_seen(request, row):
            raise Refused(404, f"Volume type {id} could not be found.")
        return row

    def _type_view(self, request, row):
        return {**self.plain(row), **({"qos_specs_id": row["_qos"]} if request.who.admin else {})}

    def types(self, request):
        """GET types; an administrator sees the public ones unless he asks for others."""
        rows = [row for row in self.shelf("types").values() if self._type_seen(request, row)]
        public = request.arg("is_public", "true").lower()
        if request.who.admin and public != "none":
            rows = [row for row in rows if row["is_public"] == (public in ("true", "1"))]
        return self.listing(request, "volume_types", rows, lambda row: self._type_view(request, row))

    def type(self, request, id):
        """GET types/{id}."""
        row = next(iter(self.shelf("types").values())) if id == "default" else self._type(request, id)
        return Response(200, {"volume_type": self._type_view(request, row)})

    def _type_name_free(self, name, id=None):
        if any(row["name"] == name and row["id"] != id for row in self.shelf("types").values()):
            raise Refused(409, f"Volume Type {name} already exists.")

    def type_create(self, request):
        """POST types."""
        self.admin(request, "volume_extension:type_create")
        given = self.checked(TYPE, self.member(request, "volume_type"))
        self._type_name_free(given["name"])
        public = given.get(PUBLIC, True)
        row = copy.deepcopy(self.templates["volume_type"] | self.NEW_TYPE) | {"description": None, "extra_specs": {}}
        row |= {**given, "id": new_id(), "is_public": public, PUBLIC: public}
        self.shelf("types")[row["id"]] = row
        return Response(200, {"volume_type": self._type_view(request, row)})

    def type_update(self, request, id):
        """PUT types/{id}."""
        self.admin(request, "volume_extension:type_update")
        given = self.checked(TYPE_UPDATE, self.member(request, "volume_type"))
        if all(value is None for value in given.values()):
            raise Refused(400, "Specify volume type name, description, is_public or a combination thereof.")
        row = self._type(request, id)
        self._type_name_free(given.get("name"), id)
        row |= {name: value for name, value in given.items() if value is not None}
        row[PUBLIC] = row["is_public"]
        return Response(200, {"volume_type": self._type_view(request, row)})

    def type_delete(self, request, id):
        """DELETE types/{id}."""
        self.admin(request, "volume_extension:type_delete")
        self._type(request, id)
        if any(volume.get("_type") == id for volume in self.shelf("volumes").values()):
            raise Refused(400, "Target volume type is still in use.")
        if id == next(iter(self.shelf("types"))):
            raise Refused(400, f"The volume type {id} is the default volume type and cannot be deleted.")
        del self.shelf("types")[id]
        return Response(202)

    def type_access(self, request, id):
        """GET os-volume-type-access."""
        self.admin(request, "volume_extension:volume_type_access:get_all_for_type")
        row = self._type(request, id)
        if row["is_public"]:
            raise Refused(404, "Access list not available for public volume types.")
        return Response(200, {"volume_type_access": [{"volume_type_id": id, "project_id": p} for p in row["_access"]]})

    def type_action(self, request, id):
        """addProjectAccess and removeProjectAccess."""
        self.admin(request, "volume_extension:volume_type_access:addProjectAccess")
        given = self.checked(c.fields(addProjectAccess=PROJECT, removeProjectAccess=PROJECT), self.body(request))
        if len(given) != 1:
            raise Refused(400, "There is no such action")
        row = self._type(request, id)
        (name, value), = given.items()
        project, has = value["project"], value["project"] in row["_access"]
        if row["is_public"]:
            raise Refused(400, "Type access modification is not applicable to public volume type.")
        if name == "addProjectAccess":
            if has:
                raise Refused(409, f"Volume type access for {id} / {project} combination already exists.")
            row["_access"].append(project)
        elif not has:
            raise Refused(404, f"Volume type access not found for {id} / {project} combination.")
        else:
            row["_access"].remove(project)
        return Response(202)

    def _type_unused(self, id):
        if any(volume.get("_type") == id for volume in self.shelf("volumes").values()):
            raise Refused(400, "Volume Type is currently in use.")

    def type_specs(self, request, id):
        """extra_specs of a type."""
        row = self._type(request, id)
        if request.method == "POST":
            self.admin(request, "volume_extension:types_extra_specs:create")
            self._type_unused(id)
            given = self.checked(SPECS, self.member(request, "extra_specs"))
            row["extra_specs"] |= given
            return Response(200, {"extra_specs": given})
        return Response(200, {"extra_specs": row["extra_specs"]})

    def type_spec(self, request, id, key):
        """One extra spec."""
        specs = self._type(request, id)["extra_specs"]
        if request.method != "GET":
            self.admin(request, "volume_extension:types_extra_specs:update")
            self._type_unused(id)
        if request.method == "PUT":
            given = self.checked(SPECS, self.body(request))
            if key not in given:
                raise Refused(400, "Request body and URI mismatch")
            specs |= given
            return Response(200, given)
        if key not in specs:
            raise Refused(404, f"Volume Type {id} has no extra specs with key {key}.")
        if request.method == "DELETE":
            del specs[key]
            return Response(202)
        return Response(200, {key: specs[key]})

    def encryption(self, request, id):
        """Show or make the encryption of a type."""
        self.admin(request, "volume_extension:volume_type_encryption:get")
        row = self._type(request, id)
        if request.method == "GET":
            return Response(200, row["_encryption"])
        required = ("provider", "control_location")
        given = self.checked(c.fields(required, **ENCRYPTION), self.member(request, "encryption"))
        self._type_unused(id)
        if row["_encryption"]:
            raise Refused(400, f"Volume type encryption for type {id} already exists.")
        row["_encryption"] = {"volume_type_id": id, "encryption_id": new_id(), "deleted": False, **given}
        return Response(200, {"encryption": given})

    def encryption_item(self, request, id, key):
        """One field; PUT and DELETE are about all of it, and do not look at the last segment."""
        self.admin(request, "volume_extension:volume_type_encryption:update")
        row = self._type(request, id)
        if request.method != "GET":
            self._type_unused(id)
        if request.method == "PUT":
            given = self.checked(c.fields(**ENCRYPTION), self.member(request, "encryption"))
            row["_encryption"] |= given
            return Response(200, {"encryption": given})
        if not row["_encryption"] or (request.method == "GET" and key not in row["_encryption"]):
            raise Refused(404, f"Volume type encryption for type {id} does not exist.")
        if request.method == "DELETE":
            row["_encryption"] = {}
            return Response(202)
        return Response(200, {key: row["_encryption"][key]})

    # QoS specs: for administrators only

    def _qos(self, request, id, what="get"):
        self.admin(request, f"volume_extension:qos_specs_manage:{what}")
        return self.find("qos_specs", id, f"No such qos spec {id}.")

    def _qos_answer(self, request, row):
        return Response(200, {"qos_specs": row, "links": self.links(request, "qos-specs", row["id"])})

    def qos_list(self, request):
        """GET qos-specs."""
        self.admin(request, "volume_extension:qos_specs_manage:get_all")
        return self.listing(request, "qos_specs", list(self.shelf("qos_specs").values()), self.plain)

    def qos_create(self, request):
        """POST qos-specs: whatever else is in the body is a spec."""
        self.admin(request, "volume_extension:qos_specs_manage:create")
        given = self.checked(c.fields(("name",), True, name=c.text(255, 1)), self.member(request, "qos_specs"))
        specs = {key: value for key, value in self.member(request, "qos_specs").items() if key != "name"}
        consumer = specs.pop("consumer", "back-end")
        if consumer not in ("front-end", "back-end", "both"):
            raise Refused(400, "Invalid qos specs: Valid consumer of QoS specs are: ['front-end', 'back-end', 'both']")
        if any(row["name"] == given["name"] for row in self.shelf("qos_specs").values()):
            raise Refused(409, f"QoS Specs {given['name']} already exists.")
        row = {"id": new_id(), "name": given["name"].strip(), "consumer": consumer, "specs": specs}
        self.shelf("qos_specs")[row["id"]] = row
        return self._qos_answer(request, row)

    def qos(self, request, id):
        """GET qos-specs/{id}."""
        return self._qos_answer(request, self._qos(request, id))

    def qos_update(self, request, id):
        """PUT qos-specs/{id}: adds specs; consumer is one of the keys."""
        row, given = self._qos(request, id, "update"), self.checked(SPECS, self.member(request, "qos_specs"))
        row["consumer"] = given.get("consumer", row["consumer"])
        row["specs"] |= {key: value for key, value in given.items() if key != "consumer"}
        return Response(200, {"qos_specs": given})

    def qos_delete(self, request, id):
        """DELETE qos-specs/{id}."""
        self._qos(request, id, "delete")
        users = [row for row in self.shelf("types").values() if row["_qos"] == id]
        if users and request.arg("force", "false").lower() != "true":
            raise Refused(400, "Qos specs still in use.")
        for row in users:
            row["_qos"] = None
        del self.shelf("qos_specs")[id]
        return Response(202)

    def qos_delete_keys(self, request, id):
        """PUT qos-specs/{id}/delete_keys."""
        row = self._qos(request, id, "delete")
        for key in self.checked(c.fields(("keys",), keys=c.many(c.text(255, 1))), self.body(request))["keys"]:
            if key not in row["specs"]:
                raise Refused(404, f"QoS spec {id} has no spec with key {key}.")
            del row["specs"][key]
        return Response(202)

    def qos_associations(self, request, id):
        """GET qos-specs/{id}/associations."""
        self._qos(request, id, "get_all")
        return Response(200, {"qos_associations": [
            {"association_type": "volume_type", "name": row["name"], "id": row["id"]}
            for row in self.shelf("types").values() if row["_qos"] == id]})

    def qos_associate(self, request, id):
        """GET that associates, or disassociates."""
        self._qos(request, id, "update")
        kind = request.arg("vol_type_id")
        if not kind:
            raise Refused(400, "Volume Type id must not be None.")
        row = self.find("types", kind, f"Volume type {kind} could not be found.")
        if request.path.endswith("/associate"):
            if row["_qos"] not in (None, id):
                raise Refused(400, f"Invalid volume type: Type {kind} is already associated with another qos specs")
            row["_qos"] = id
        else:
            row["_qos"] = None
        return Response(202)

    def qos_disassociate_all(self, request, id):
        """GET that disassociates all."""
        self._qos(request, id, "update")
        for row in self.shelf("types").values():
            row["_qos"] = None if row["_qos"] == id else row["_qos"]
        return Response(202)
