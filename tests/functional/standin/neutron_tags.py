"""Tags, as in neutron/extensions/tagging.py."""
from tests.functional.standin import checks as c
from tests.functional.standin.neutron_kinds import TAGGED
from tests.functional.standin.service import stamp
from tests.functional.standin.web import Refused, Response


class Tags:
    """Mixed into `Neutron`."""

    def tags_table(self):
        """Routes of all kinds that have tags; below the last part of the collection's path."""
        table = []
        for plural in TAGGED:
            path = f"/v2.0/{plural.rsplit('/', 1)[-1]}/{{id}}/tags"
            table += [*((method, path, self.bound(self.tags, plural)) for method in ("GET", "PUT", "DELETE")),
                      *((method, path + "/{tag}", self.bound(self.tag, plural))
                        for method in ("GET", "HEAD", "PUT", "DELETE"))]
        return table

    def tags(self, request, plural, id):
        """Read, replace or drop a member's tags."""
        row = self.own(request.who, plural, id) if request.method == "GET" else \
            self._changeable(request, plural, id, "update_tags")
        if request.method == "PUT":
            given = self._checked({"tags": c.many(c.text(60, 1))}, self.body(request))
            row["tags"] = sorted(set(given.get("tags", [])))
            self.revise(row)
        if request.method == "DELETE":
            row["tags"] = []
            self.revise(row)
            return Response(204)
        return Response(200, {"tags": row["tags"]})

    def tag(self, request, plural, id, tag):
        """One tag of a member."""
        if request.method in ("GET", "HEAD"):
            row = self.own(request.who, plural, id)
        else:
            row = self._changeable(request, plural, id, "update_tags")
        if request.method == "PUT":
            row["tags"] = sorted({*row["tags"], tag})
            self.revise(row)
            return Response(201)
        if tag not in row["tags"]:
            raise Refused(404, f"Tag {tag} could not be found.", "TagNotFound")
        if request.method == "DELETE":
            row["tags"].remove(tag)
            self.revise(row)
            row["updated_at"] = stamp()
        return Response(204)
