"""How far a list has got in each pod, by the marker that its next page begins with. A ring: old ones make way."""
from tricircle.store.db import Database

KEPT = 4000


def put(db: Database, key: str, cursor: str) -> None:
    """Remember a cursor, in place of an older one of the same key."""
    with db.write() as c:
        c.execute("DELETE FROM cursors WHERE cursor_key = ?", (key,))
        newest = c.execute("INSERT INTO cursors (cursor_key, cursor) VALUES (?, ?)", (key, cursor)).lastrowid
        c.execute("DELETE FROM cursors WHERE seq <= ?", (newest - KEPT,))


def get(db: Database, key: str) -> str | None:
    """A remembered cursor; None when there is none, or not any more."""
    found = db.row("SELECT cursor FROM cursors WHERE cursor_key = ?", (key,))
    return found["cursor"] if found else None
