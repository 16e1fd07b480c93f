"""Which id stands for a name, where each pod gives the thing an id of its own (volume types)."""
from tricircle.store.db import Database


def home(db: Database, kind: str, name: str) -> str | None:
    """The id that users see; None when nobody has seen the name yet."""
    found = db.row("SELECT resource_id FROM named WHERE kind = ? AND name = ?", (kind, name))
    return found["resource_id"] if found else None


def of_kind(db: Database, kind: str) -> dict[str, str]:
    """{name: id} of all that are known."""
    return {row["name"]: row["resource_id"] for row in db.rows("SELECT * FROM named WHERE kind = ?", (kind,))}


def name(db: Database, resource_id: str) -> str | None:
    """The name that an id stands for; None when it is unknown."""
    found = db.row("SELECT name FROM named WHERE resource_id = ?", (resource_id,))
    return found["name"] if found else None


def choose(db: Database, kind: str, name: str, resource_id: str) -> str:
    """Let an id stand for a name, unless another request has chosen before: both get the first one's choice."""
    with db.write() as c:
        c.execute("INSERT INTO named VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (kind, name, resource_id))
    return home(db, kind, name) or resource_id


def rename(db: Database, kind: str, name: str, resource_id: str) -> None:
    """The thing has this name now; whatever had it before has not."""
    with db.write() as c:
        c.execute("DELETE FROM named WHERE resource_id = ? OR (kind = ? AND name = ?)", (resource_id, kind, name))
        c.execute("INSERT INTO named VALUES (?, ?, ?)", (kind, name, resource_id))


def forget(db: Database, resource_id: str) -> None:
    """The thing is gone."""
    with db.write() as c:
        c.execute("DELETE FROM named WHERE resource_id = ?", (resource_id,))
