"""Work that is owed to the pods. A job names a resource, never an event: running it twice, late or again is right.

A request of a user announces its job before it calls a pod (`enqueue` with a time in the future: a *hold*) and
releases it afterwards. Were the gateway to die in between, the hold runs out and the job runs all the same.
"""
import random
import sqlite3

from tricircle.errors import BadRequest, Conflict, LeaseLost, NotFound, TooMany
from tricircle.parts import parts
from tricircle.store.db import Database, new_id, now

STATES = ("queued", "running", "done", "failed", "dead", "cancelled")
MAX_ATTEMPTS = 10
BACKOFF_SECONDS = 1.0
BACKOFF_LIMIT = 300.0
BATCH = 500
MOST = 1000   # in one list
OWED = 1000   # that wait for one project: a pod may be away for long
REMEMBERED = 10_000   # of one project, when they are over: whoever makes and deletes routers all day fills no disk
OVER = "state IN ('done', 'failed', 'cancelled')"
INSERT = ("INSERT INTO jobs (id, kind, resource_id, project_id, state, queued_key, not_before, holds, held_until, "
          "created_at) VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?) ")
# A new request deserves all the attempts: what made the job fail so far may be what the request has changed.
COALESCE = """ON CONFLICT (queued_key) DO UPDATE SET attempts = 0, holds = jobs.holds + excluded.holds,
    not_before = CASE WHEN excluded.not_before < jobs.not_before THEN excluded.not_before ELSE jobs.not_before END,
    held_until = CASE WHEN jobs.held_until > excluded.held_until THEN jobs.held_until
                      ELSE COALESCE(excluded.held_until, jobs.held_until) END"""


def enqueue(db: Database, kind: str, resource_id: str, project_id: str, not_before: float | None = None) -> dict:
    """Ask for a job; one that is queued for the resource already takes the request in.

    Args:
        kind: one of `jobs.worker.KINDS`.
        resource_id: home id; of a quota, see `crosspod.quota_numbers.resource`.
        project_id: owner of the resource.
        not_before: seconds since the epoch; a time in the future holds the job until `release` or that time. The
            earlier time wins over that of a queued job.

    Returns:
        The queued job: every column of `jobs`.
    """
    key, at = f"{kind}:{resource_id}", now()
    held_until = not_before if not_before and not_before > at else None
    with db.write() as c:
        c.execute(INSERT + COALESCE, (new_id(), kind, resource_id, project_id, key, not_before or at,
                                      int(held_until is not None), held_until, at))
        return dict(c.execute("SELECT * FROM jobs WHERE queued_key = ?", (key,)).fetchone())


def refuse_more(db: Database, project_id: str) -> None:
    """Stop a project whose requests owe the pods enough already, before a pod is called for one more.

    Raises:
        TooMany: some pod is away, or the worker is.
    """
    owed = db.row("SELECT COUNT(*) AS number FROM jobs WHERE state = 'queued' AND project_id = ?", (project_id,))
    if owed["number"] >= OWED:
        raise TooMany(f"{owed['number']} jobs wait already for what this project has asked for: try again later")


def is_owed(db: Database, kind: str, resource_id: str) -> bool:
    """Whether a job of one kind is queued or running for a resource."""
    return bool(db.row("SELECT 1 FROM jobs WHERE resource_id = ? AND kind = ? AND state IN ('queued', 'running')",
                       (resource_id, kind)))


def latest(db: Database, kind: str, resource_id: str) -> dict | None:
    """The newest job of one kind for a resource."""
    return db.row("SELECT * FROM jobs WHERE resource_id = ? AND kind = ? ORDER BY created_at DESC LIMIT 1",
                  (resource_id, kind))


def states(db: Database, kind: str, resource_ids: list[str]) -> dict[str, str]:
    """Return {resource id: state of its newest job of one kind} of those that have one."""
    found: dict[str, str] = {}
    for part in parts(resource_ids):
        marks = ", ".join("?" * len(part))
        rows = db.rows("SELECT resource_id, state FROM jobs "  # noqa: S608 - marks only
                       f"WHERE kind = ? AND resource_id IN ({marks}) ORDER BY created_at", [kind, *part])
        found |= {row["resource_id"]: row["state"] for row in rows}
    return found


def pulse(db: Database, kind: str, resource_id: str) -> tuple[int, int]:
    """A pair that is another one when a job of one kind has been asked for, or begun, for a resource."""
    row = db.row("SELECT COUNT(*) AS number, COALESCE(SUM(fence), 0) AS fences FROM jobs "
                 "WHERE resource_id = ? AND kind = ?", (resource_id, kind))
    return row["number"], row["fences"]


def release(db: Database, job_id: str) -> dict:
    """The announced change has been made (or refused): the job may run now.

    Returns:
        The job that will see the change: the same one, or another one of the resource if that was started meanwhile.

    Raises:
        NotFound: no such job.
    """
    job = show(db, job_id)
    key, at = f"{job['kind']}:{job['resource_id']}", now()
    with db.write() as c:
        c.execute("UPDATE jobs SET not_before = ?, attempts = 0, "
                  "held_until = CASE WHEN holds > 1 THEN held_until END, "
                  "holds = CASE WHEN holds > 1 THEN holds - 1 ELSE 0 END WHERE queued_key = ?", (at, key))
        c.execute(INSERT + "ON CONFLICT (queued_key) DO NOTHING",
                  (new_id(), job["kind"], job["resource_id"], job["project_id"], key, at, 0, None, at))
        return dict(c.execute("SELECT * FROM jobs WHERE queued_key = ?", (key,)).fetchone())


def withdraw(db: Database, job_id: str) -> None:
    """The announced change is done in all pods, or a pod has refused it: for it the job has nothing to do.

    A job that nobody else has asked for is gone then. One that waits for something else waits on as it did: neither
    sooner, since whoever is refused has no say in it, nor later.
    """
    job = show(db, job_id)
    key = f"{job['kind']}:{job['resource_id']}"
    with db.write() as c:
        alone = "queued_key = ? AND fence = 0 AND holds = 1 AND not_before > ?"
        c.execute(f"DELETE FROM jobs WHERE {alone}", (key, now()))  # noqa: S608 - a constant
        c.execute("UPDATE jobs SET held_until = CASE WHEN holds > 1 THEN held_until END, holds = holds - 1 "
                  "WHERE queued_key = ? AND holds > 0", (key,))


def claim(db: Database, owner: str, lease_seconds: float) -> dict | None:
    """Take the oldest job that is due, or one whose worker has vanished.

    Args:
        owner: who is asking.
        lease_seconds: how long the job is the owner's without `renew`.

    Returns:
        The job, now running, with a new fence; None when nothing is due. No two jobs of one resource run at once.
    """
    # running_key alone would do; looking first spares an idle worker a refused write with every poll.
    due = db.rows(
        "SELECT * FROM jobs j WHERE (state = 'queued' AND not_before <= ? AND NOT EXISTS "
        "(SELECT 1 FROM jobs r WHERE r.running_key = j.queued_key)) OR (state = 'running' AND lease_until < ?) "
        "ORDER BY not_before LIMIT 16", (now(), now()))
    for job in due:
        try:
            if _take(db, job, owner, lease_seconds):
                return show(db, job["id"])
        except sqlite3.IntegrityError:
            continue   # running_key: another worker has just begun a job of this resource
    return None


def _take(db: Database, job: dict, owner: str, lease_seconds: float) -> bool:
    key, at = f"{job['kind']}:{job['resource_id']}", now()
    with db.write() as c:
        taken = c.execute(
            "UPDATE jobs SET state = 'running', queued_key = NULL, running_key = ?, attempts = attempts + 1, "
            "fence = fence + 1, lease_owner = ?, lease_until = ?, holds = 0, held_until = NULL, "
            "started_at = COALESCE(started_at, ?) WHERE id = ? AND state = ? AND fence = ? AND attempts = ? "
            "AND holds = ? AND (state = 'queued' OR lease_until < ?)",
            (key, owner, at + lease_seconds, at, job["id"], job["state"], job["fence"], job["attempts"],
             job["holds"], at)).rowcount
        if taken:
            _hand_on(c, job, at)
    return bool(taken)


def _hand_on(c: sqlite3.Connection, job: dict, at: float) -> None:
    """Somebody is still between his announcement and his call: what he is about to do needs a job after this one."""
    if job["holds"] and job["held_until"] > at:
        key = f"{job['kind']}:{job['resource_id']}"
        c.execute(INSERT, (new_id(), job["kind"], job["resource_id"], job["project_id"], key, job["held_until"],
                           job["holds"], job["held_until"], at))


def renew(db: Database, job: dict, lease_seconds: float) -> float:
    """Keep a running job for longer; the new end of the lease in seconds since the epoch. Raises LeaseLost."""
    until = now() + lease_seconds
    _write_running(db, job, "lease_until = ?", (until,))
    return until


def finish(db: Database, job: dict) -> None:
    """The job is done. Raises LeaseLost: another worker has it now, so nothing was written."""
    _write_running(db, job, "state = 'done', running_key = NULL, lease_owner = NULL, lease_until = NULL, "
                            "finished_at = ?, last_error = NULL", (now(),))


def fail(db: Database, job: dict, error: str, patient: bool = False) -> str:
    """The job did not get through: queue it again, later and later.

    Args:
        job: as `claim` gave it.
        error: one line for a human.
        patient: a pod is down, for as long as it may take: try again for ever.

    Returns:
        The state it has now: `queued`; `failed` when a newer request for the resource is queued anyhow; `dead` after
        `MAX_ATTEMPTS`.

    Raises:
        LeaseLost: another worker has it now, so nothing was written.
    """
    key, at = f"{job['kind']}:{job['resource_id']}", now()
    with db.write() as c:
        newer = c.execute("SELECT 1 FROM jobs WHERE queued_key = ?", (key,)).fetchone()
        state = "failed" if newer else "dead" if job["attempts"] >= MAX_ATTEMPTS and not patient else "queued"
        again = state == "queued"
        written = c.execute(
            "UPDATE jobs SET state = ?, running_key = NULL, queued_key = ?, lease_owner = NULL, lease_until = NULL, "
            "not_before = ?, finished_at = ?, last_error = ?, attempts = ? WHERE id = ? AND fence = ? "
            "AND state = 'running'",
            (state, key if again else None, at + backoff(job["attempts"]), None if again else at, error,
             min(job["attempts"], MAX_ATTEMPTS - 1) if patient else job["attempts"], job["id"], job["fence"])).rowcount
    if not written:
        raise _lost(job)
    return state


def backoff(attempts: int) -> float:
    """Seconds until the next attempt: doubled each time, with jitter so that many jobs do not come back at once."""
    return min(BACKOFF_LIMIT, BACKOFF_SECONDS * 2 ** (attempts - 1)) * random.uniform(0.5, 1.0)  # noqa: S311


def redo(db: Database, job_id: str) -> dict:
    """Run a job again that has ended without success.

    Returns:
        The job, queued.

    Raises:
        NotFound: no such job.
        Conflict: it is queued, running or done, or another one is queued for the resource.
    """
    job = show(db, job_id)
    key = f"{job['kind']}:{job['resource_id']}"
    try:
        with db.write() as c:
            done = c.execute(
                "UPDATE jobs SET state = 'queued', queued_key = ?, not_before = ?, attempts = 0, finished_at = NULL "
                "WHERE id = ? AND state IN ('failed', 'dead', 'cancelled')", (key, now(), job_id)).rowcount
    except sqlite3.IntegrityError as error:
        raise Conflict(f"a newer job is queued for {job['kind']} {job['resource_id']} already") from error
    if not done:
        state = show(db, job_id)["state"]
        raise Conflict(f"job {job_id} is {state}: only a failed, dead or cancelled one can be redone")
    return show(db, job_id)


def cancel(db: Database, job_id: str) -> tuple[dict, bool]:
    """Take a job off the queue, or from its worker; one that is dead is dealt with.

    What a request has announced and not done yet is left to a job after this one, as when it had just begun.

    Returns:
        (the job, cancelled and with a fence that nobody holds; whether it was running).

    Raises:
        NotFound: no such job.
        Conflict: it is over.
    """
    show(db, job_id)
    at = now()
    with db.write() as c:
        job = dict(c.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone())
        if job["state"] not in ("queued", "running", "dead"):
            raise Conflict(f"job {job_id} is {job['state']}: only a queued, running or dead job can be cancelled")
        c.execute("UPDATE jobs SET state = 'cancelled', queued_key = NULL, running_key = NULL, fence = fence + 1, "
                  "lease_owner = NULL, lease_until = NULL, holds = 0, held_until = NULL, finished_at = ? "
                  "WHERE id = ?", (at, job_id))
        _hand_on(c, job, at)
    cancelled = show(db, job_id)
    log(db, cancelled, [("", f"cancelled while {job['state']}")])
    return cancelled, job["state"] == "running"


def prune(db: Database, before: float) -> int:
    """Forget the jobs that ended before a time, and those of a project beyond its newest REMEMBERED, with their logs.

    A dead one stays until somebody has dealt with it.

    Returns:
        How many there were.
    """
    pruned = _prune(db, "finished_at < ?", (before,), before)
    for row in db.rows(f"SELECT project_id FROM jobs WHERE {OVER} GROUP BY project_id "  # noqa: S608 - a constant
                       "HAVING COUNT(*) > ?", (REMEMBERED,)):
        edge = db.row(f"SELECT finished_at FROM jobs WHERE project_id = ? AND {OVER} "  # noqa: S608 - a constant
                      "ORDER BY finished_at DESC LIMIT 1 OFFSET ?", (row["project_id"], REMEMBERED - 1))
        if edge:
            pruned += _prune(db, "finished_at < ? AND project_id = ?", (edge["finished_at"], row["project_id"]),
                             edge["finished_at"])
    return pruned


def _prune(db: Database, which: str, values: tuple, before: float) -> int:
    pruned = 0
    while old := db.rows(f"SELECT id FROM jobs WHERE {which} AND {OVER} LIMIT ?",  # noqa: S608 - constants
                         (*values, BATCH)):   # in pieces: nobody waits long for the write lock
        with db.write(durable=False) as c:
            # Not one that has been redone since the look.
            pruned += c.executemany("DELETE FROM jobs WHERE id = ? AND finished_at < ?",
                                    [(job["id"], before) for job in old]).rowcount
    return pruned


def expire(db: Database, owner: str) -> int:
    """End the leases of a worker that is known to be dead. Returns how many it held."""
    with db.write() as c:
        return c.execute("UPDATE jobs SET lease_until = 0 WHERE state = 'running' AND lease_owner = ?",
                         (owner,)).rowcount


def show(db: Database, job_id: str) -> dict:
    """One job. Raises NotFound."""
    found = db.row("SELECT * FROM jobs WHERE id = ?", (job_id,))
    if not found:
        raise NotFound(f"there is no job {job_id}")
    return found


def list_all(db: Database, state: str | None = None, kind: str | None = None, resource_id: str | None = None,
             project_id: str | None = None, limit: int = MOST, marker: str | None = None) -> list[dict]:
    """Jobs, newest first; each field that is given must match.

    Args:
        limit: at most so many.
        marker: id of the last job of the page before. The order never changes, so pages have each job once.

    Raises:
        BadRequest: there is no job `marker` (any more).
    """
    wanted = {"state": state, "kind": kind, "resource_id": resource_id, "project_id": project_id}
    given = {f"{name} = ?": (value,) for name, value in wanted.items() if value is not None}
    if marker is not None:
        last = db.row("SELECT created_at, id FROM jobs WHERE id = ?", (marker,))
        if not last:
            raise BadRequest(f"marker {marker} is no job, or it has been forgotten meanwhile: begin without it")
        given["(created_at < ? OR (created_at = ? AND id > ?))"] = (last["created_at"], last["created_at"], last["id"])
    where = "WHERE " + " AND ".join(given) if given else ""
    sql = f"SELECT * FROM jobs {where} ORDER BY created_at DESC, id LIMIT ?"  # noqa: S608 - column names are constants
    return db.rows(sql, (*(value for values in given.values() for value in values), limit))


def tally(db: Database) -> list[dict]:
    """Jobs that have not ended well: kind, state, number, oldest (when the oldest was asked for)."""
    return db.rows("SELECT kind, state, COUNT(*) AS number, MIN(created_at) AS oldest FROM jobs "
                   "WHERE state IN ('queued', 'running', 'dead') GROUP BY kind, state")


def log(db: Database, job: dict, lines: list[tuple[str, str]]) -> None:
    """Add lines to a running job's log; a worker that has lost the job writes nothing.

    Args:
        lines: (pod, text); `pod` is empty for what concerns all.
    """
    with db.write(durable=False) as c:
        c.executemany("INSERT INTO job_log (job_id, position, at, pod, text) "
                      "SELECT id, (SELECT COALESCE(MAX(position), 0) + 1 FROM job_log WHERE job_id = ?), ?, ?, ? "
                      "FROM jobs WHERE id = ? AND fence = ?",
                      [(job["id"], now(), pod, text, job["id"], job["fence"]) for pod, text in lines])


def log_of(db: Database, job_id: str) -> list[dict]:
    """The log of a job, oldest first: position, at (seconds since the epoch), pod, text."""
    return db.rows("SELECT position, at, pod, text FROM job_log WHERE job_id = ? ORDER BY position", (job_id,))


def _write_running(db: Database, job: dict, changes: str, args: tuple) -> None:
    with db.write() as c:
        sql = f"UPDATE jobs SET {changes} WHERE id = ? AND fence = ? AND state = 'running'"  # noqa: S608 - constants
        written = c.execute(sql, (*args, job["id"], job["fence"])).rowcount
    if not written:
        raise _lost(job)


def _lost(job: dict) -> LeaseLost:
    return LeaseLost(f"job {job['id']} was cancelled, or another worker has it")
