"""Rows that are made again from what the pods have, beside a gateway and a worker that write the same tables.

Whoever compares reads the rows first, then the pods. What a row says that is changed or deleted here was seen before
the pods were asked, and is written only if it still says so: a row that somebody has touched in between is his.
"""
import sqlite3
from dataclasses import dataclass
from typing import Any

from tricircle.store.db import Database, new_id, now

CHUNK = 500   # rows in one transaction: others wait for the lock meanwhile
Key = tuple[str, ...]
Row = dict[str, Any]
Rows = dict[str, dict[Key, Row]]   # {table: {key: row}}
# A job of a project's router hands out and takes back by itself: what it was at may not have been seen in the pods. One
# that has not begun yet will find what is written here.
IDLE = ("NOT EXISTS (SELECT 1 FROM jobs j WHERE j.project_id = {table}.project_id AND j.kind = 'router' AND "
        "(j.state = 'running' OR (j.state = 'queued' AND j.attempts > 0) OR j.started_at > :began "
        "OR j.finished_at > :began))")


@dataclass(frozen=True)
class Table:
    """A table that can be made again.

    Args:
        key: columns that name a row.
        value: columns that may turn out to be wrong.
        more: columns that are told when a row is made.
        condition: what else must hold when a row is changed or deleted.
    """

    key: Key
    value: Key
    more: Key = ()
    condition: str = "1"


# In this order rows are made; rows that refer to others go before them.
TABLES = {
    "routings": Table(("resource_id",), ("pod_id", "project_id"), ("kind",)),
    "replicas": Table(("resource_id", "pod_id"), ("local_id",), ("kind", "project_id")),
    "default_groups": Table(("project_id",), ("group_id", "pod_id")),
    "bridges": Table(("project_id",), ("vlan", "cidr"), condition=IDLE),
    "bridge_ips": Table(("router_id", "pod_id"), ("project_id", "ip"), condition=IDLE),
    "pool_prefixes": Table(("pool_id", "pod_id", "cidr"), (), ("project_id",)),
    "bindings": Table(("tenant_id", "az_name"), (), ("pod_id",)),
}


@dataclass(frozen=True)
class Change:
    """One row to make, correct or drop.

    Args:
        table: one of `TABLES`.
        verb: make, correct or drop.
        key: its key.
        row: as it shall be; as it is, when it is dropped.
        was: as it is, when it is corrected.
    """

    table: str
    verb: str
    key: Key
    row: Row
    was: Row | None = None


def snapshot(db: Database) -> Rows:
    """All rows of all `TABLES`."""
    return {name: {tuple(row[column] for column in table.key): row
                   for row in db.rows(f"SELECT * FROM {name}")}  # noqa: S608 - our own names
            for name, table in TABLES.items()}


def apply(db: Database, changes: list[Change], began: float) -> list[Change]:
    """Write them down.

    Args:
        changes: of `crosspod.rebuild.plan`.
        began: when the snapshot was taken.

    Returns:
        Those that were not written, since the rows are not any more what they were.
    """
    order = list(TABLES)
    rank = {"drop": 0, "correct": 1, "make": 2}
    todo = sorted(changes, key=lambda each: (rank[each.verb], order.index(each.table) *
                                             (-1 if each.verb == "drop" else 1)))
    refused = []
    for start in range(0, len(todo), CHUNK):
        with db.write() as c:
            refused += [change for change in todo[start:start + CHUNK] if not _write(c, change, began)]
    return refused


def _write(c: sqlite3.Connection, change: Change, began: float) -> bool:
    try:
        return bool(c.execute(_statement(change), _arguments(change) | {"began": began}).rowcount)
    except sqlite3.IntegrityError:   # what it refers to is not there, or its VLAN or address is somebody else's
        return False


def _statement(change: Change) -> str:
    name, table = change.table, TABLES[change.table]
    if change.verb == "make":
        columns = _arguments(change)
        values = ", ".join(f":{each}" for each in columns)
        return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608
    where = " AND ".join([*(f"{each} = :was_{each}" for each in (*table.key, *table.value)),
                          table.condition.format(table=name)])
    if change.verb == "drop":
        return f"DELETE FROM {name} WHERE {where}"  # noqa: S608 - our own names, here and below
    return f"UPDATE {name} SET {', '.join(f'{each} = :{each}' for each in table.value)} WHERE {where}"  # noqa: S608


def _arguments(change: Change) -> Row:
    table = TABLES[change.table]
    if change.verb == "make":
        return {name: change.row[name] for name in (*table.key, *table.value, *table.more)} | _fill(change.table)
    was = change.was or change.row
    return {f"was_{name}": was[name] for name in (*table.key, *table.value)} | {
        name: change.row[name] for name in table.value}


def _fill(table: str) -> Row:
    return {"replicas": {"claim_until": 0, "created_at": now()}, "default_groups": {}, "pool_prefixes": {"until": 0},
            "bindings": {"id": new_id(), "created_at": now(), "updated_at": now()}}.get(table, {"created_at": now()})
