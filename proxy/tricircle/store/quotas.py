"""The numbers that administrators set for the big region: precious, the pods only have copies."""
import time

from tricircle.store.db import Database

# The row with this name is no number: pods shall forget what they were told before they are told the rest.
RESET = ""


def numbers(db: Database, service: str, collection: str, owner: str) -> dict[str, int]:
    """{quota name: number} as set; -1 is unlimited. Empty when nobody has set any."""
    return {name: number for name, number in told(db, service, collection, owner).items() if name != RESET}


def told(db: Database, service: str, collection: str, owner: str) -> dict[str, int]:
    """What pods have to be told: the numbers, and RESET where they shall forget the older ones first."""
    rows = db.rows("SELECT name, number FROM quotas WHERE service = ? AND collection = ? AND owner = ?",
                   (service, collection, owner))
    return {row["name"]: row["number"] for row in rows}


def put(db: Database, service: str, collection: str, owner: str, changed: dict[str, int]) -> None:
    """Set numbers; those that are not named stay."""
    with db.write() as c:
        c.executemany("INSERT INTO quotas VALUES (?, ?, ?, ?, ?) ON CONFLICT (service, collection, owner, name) "
                      "DO UPDATE SET number = excluded.number",
                      [(service, collection, owner, name, number) for name, number in changed.items()])


def reset(db: Database, service: str, collection: str, owner: str) -> None:
    """Back to the default: no number any more, and every pod has to be told so. Each reset has a number of its own."""
    with db.write() as c:
        c.execute("DELETE FROM quotas WHERE service = ? AND collection = ? AND owner = ?", (service, collection, owner))
        c.execute("INSERT INTO quotas VALUES (?, ?, ?, ?, ?)",
                  (service, collection, owner, RESET, time.time_ns()))


def reset_done(db: Database, service: str, collection: str, owner: str, which: int) -> None:
    """Every pod has forgotten the older numbers; `which` is the reset's own number: a later one stays."""
    with db.write() as c:
        c.execute("DELETE FROM quotas WHERE service = ? AND collection = ? AND owner = ? AND name = ? "
                  "AND number = ?", (service, collection, owner, RESET, which))


def owners(db: Database) -> list[tuple[str, str, str]]:
    """(service, collection, owner) of everything that a new pod has to be told."""
    rows = db.rows("SELECT DISTINCT service, collection, owner FROM quotas ORDER BY service, collection, owner")
    return [(row["service"], row["collection"], row["owner"]) for row in rows]
