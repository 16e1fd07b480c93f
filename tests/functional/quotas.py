"""Short words for the tests of quotas."""
import sqlite3

from tests.functional.user import IMAGE, User

SETS = {"compute": ("os-quota-sets", "quota_set"), "volume": ("os-quota-sets", "quota_set"),
        "network": ("quotas", "quota")}
NOVA = {"OpenStack-API-Version": "compute 2.37"}


def at_home_in_both(gateway):
    """A new user in a new project, with something in both pods."""
    found = User(gateway)
    for zone in ("az1", "az2"):
        found.net(zone)
    return found


def put(boss, user, service, **numbers):
    """An administrator sets numbers."""
    collection, member = SETS[service]
    return getattr(boss, service).ok("PUT", f"/{collection}/{user.project}", {member: numbers})[member]


def boot(user, zone, **more):
    """The answer to a create."""
    body = {"name": "vm", "imageRef": IMAGE, "flavorRef": "tiny", "networks": "none", "availability_zone": zone}
    return user.compute.post("/servers", {"server": body | more}, headers=NOVA)


def open_claims(gateway):
    """Claims in flight."""
    with sqlite3.connect(f"file:{gateway.folder}/state/tricircle.sqlite?mode=ro", uri=True) as db:
        return db.execute("SELECT * FROM quota_claims WHERE ended_at IS NULL").fetchall()


def count(cloud, service, shelf, project):
    """How many rows of a project the pods have together."""
    owner = {"servers": "tenant_id", "volumes": "os-vol-tenant-attr:tenant_id"}.get(shelf, "project_id")
    return sum(row[owner] == project for pod in cloud for row in getattr(pod, service).shelf(shelf).values())
