"""A cloud of many pods that has been at work for long: servers are put on the shelves, not booted one by one."""
import copy
import datetime
import uuid

from tests.functional.standin import Cloud

EPOCH = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def stock(cloud: Cloud, project: str, count: int) -> list[str]:
    """Servers of a project, dealt out to the pods in turns, two a second.

    Args:
        cloud: the stand-ins.
        project: the servers' owner.
        count: how many.

    Returns:
        Their ids, the newest first.
    """
    pods, ids = list(cloud), []
    for number in range(count):
        nova = pods[number % len(pods)].compute
        created = (EPOCH + datetime.timedelta(seconds=number // 2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if "tiny" not in nova.shelf("flavors"):
            nova.shelf("flavors")["tiny"] = {**copy.deepcopy(nova.templates["flavor"]), "id": "tiny", "_specs": {}}
        row = copy.deepcopy(nova.templates["server"]) | {
            "id": str(uuid.uuid4()), "name": f"vm{number:05d}", "status": "ACTIVE", "created": created,
            "updated": created, "tenant_id": project, "_flavor": "tiny", "image": "",
            "_flavor_copy": nova.shelf("flavors")["tiny"]}
        nova.shelf("servers")[row["id"]] = row
        ids.append(row["id"])
    return ids[::-1]
