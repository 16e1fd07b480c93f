"""Which pod's `default` security group is the one that a project's users see."""
from tricircle.store.db import Database, now


def home(db: Database, project_id: str) -> dict | None:
    """project_id, group_id and pod_id of the chosen group; None when nobody has seen one yet."""
    return db.row("SELECT * FROM default_groups WHERE project_id = ?", (project_id,))


def choose(db: Database, project_id: str, group_id: str, pod_id: str) -> dict:
    """Choose it, unless another request has: both get the first one's choice.

    Its home is written with it: whoever sees the choice looks for the home at once.
    """
    with db.write() as c:
        chosen = c.execute("INSERT INTO default_groups VALUES (?, ?, ?) ON CONFLICT (project_id) DO NOTHING",
                           (project_id, group_id, pod_id)).rowcount
        if chosen:
            c.execute("INSERT INTO routings (resource_id, pod_id, kind, project_id, created_at) "
                      "VALUES (?, ?, 'security-groups', ?, ?) ON CONFLICT DO NOTHING",
                      (group_id, pod_id, project_id, now()))
    return home(db, project_id)


def forget(db: Database, group_id: str) -> None:
    """The group was deleted (an administrator may do that; Neutron makes another one)."""
    with db.write() as c:
        c.execute("DELETE FROM default_groups WHERE group_id = ?", (group_id,))
