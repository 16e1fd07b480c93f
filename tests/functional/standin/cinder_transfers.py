"""Volumes that change their project."""
from tests.functional.standin import checks as c
from tests.functional.standin.service import new_id, stamp
from tests.functional.standin.web import Refused, Response

TRANSFER = c.fields(("volume_id",), volume_id=c.identifier, name=c.nullable(c.text(255)), no_snapshots=c.boolean)
ACCEPT = c.fields(("auth_key",), auth_key=c.text(255))
BRIEF = ("id", "name", "volume_id")
TENANT = "os-vol-tenant-attr:tenant_id"


class Transfers:
    """Transfers of a pod's Cinder."""

    def transfers_table(self, v):
        """Routes."""
        lists = [("GET", f"{v}/{name}{rest}", self.transfers) for name in ("volume-transfers", "os-volume-transfer")
                 for rest in ("", "/detail")]
        return [*lists, ("POST", f"{v}/volume-transfers", self.transfer_create),
                ("POST", f"{v}/volume-transfers/{{id}}/accept", self.transfer_accept)]

    def transfer_create(self, request):
        """POST volume-transfers: whoever knows the key may take the volume."""
        given = self.checked(TRANSFER, self.member(request, "transfer"))
        volume = self.own_volume(request, given["volume_id"])
        row = {"id": new_id(), "auth_key": new_id()[:16], "volume_id": volume["id"], "name": given.get("name"),
               "created_at": stamp(micro=True)}
        volume["status"] = "awaiting-transfer"
        self.shelf("transfers")[row["id"]] = row
        return Response(202, {"transfer": row})

    def transfers(self, request):
        """GET volume-transfers, and by the older name; before 3.59 every parameter is a column (Cinder's bug)."""
        mine = [row for row in self.shelf("transfers").values()
                if self.shelf("volumes")[row["volume_id"]][TENANT] == request.who.project.id]
        names = BRIEF + (("created_at",) if request.path.endswith("/detail") else ())

        def shown(row):
            return {name: row[name] for name in names} | {"links": []}

        pages = "volume-transfers" in request.path and request.version >= (3, 59)
        mine.sort(key=lambda row: row["created_at"], reverse=pages)
        if pages:
            return self.listing(request, "transfers", mine, shown)
        return Response(200, {"transfers": [] if request.query else [shown(row) for row in mine]})

    def transfer_accept(self, request, id):
        """POST volume-transfers/{id}/accept."""
        given, row = self.checked(ACCEPT, self.member(request, "accept")), self.shelf("transfers").get(id)
        if row is None:
            raise Refused(404, f"Transfer {id} could not be found.")
        if row["auth_key"] != given["auth_key"]:
            raise Refused(403, "Invalid auth key.")
        volume = self.shelf("volumes")[row["volume_id"]]
        volume |= {"status": "available", TENANT: request.who.project.id}
        del self.shelf("transfers")[id]
        return Response(202, {"transfer": {name: row[name] for name in ("id", "name", "volume_id")}})
