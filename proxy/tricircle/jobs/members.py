"""The job `members`: a project's security groups let in the members of remote groups in other pods."""
import contextlib
from collections.abc import Iterator

from tricircle.crosspod import members
from tricircle.jobs.context import Context, JobFailed, Plan, Surroundings
from tricircle.jobs.queue import announced
from tricircle.store import Database, bridges, jobs, pods, spans
from tricircle.upstream.scatter import scatter


@contextlib.contextmanager
def owed(db: Database, project_id: str) -> Iterator[None]:
    """The block changes what the job looks at; in a project without a bridge that is nobody's business."""
    with announced(db, "members", {project_id: project_id} if bridges.of_project(db, project_id) else {}):
        yield


def owed_again(context: Context, project_id: str) -> None:
    """An earlier attempt at another job may have changed what this one looks at, and died before it could say so.

    What it had announced may have run by itself before the change came: a playbook can take longer than that waits.
    """
    if context.job["fence"] > 1 and bridges.of_project(context.db, project_id):
        jobs.enqueue(context.db, "members", project_id, project_id)


def converge(context: Context) -> None:
    """Bring the rules by address up to date in all pods of a project.

    Raises:
        JobFailed: a pod refused or did not answer; or Nova is still making or deleting ports, which shows later.
        PlaybookFailed, Unavailable: as usual.
    """
    project_id, db, upstream = context.job["resource_id"], context.db, context.upstream
    rows = _rows(db, project_id)
    # Before the ports: what Nova ends in between shows among them.
    changing, mute = scatter(rows, lambda name: members.changing(upstream, project_id, rows[name]))
    todo, missing = plan(context, project_id)
    outcomes = context.apply("converge_members", todo) if todo else {}
    problems = [f"pod {name}: {outcome.failure}" for name, outcome in outcomes.items() if outcome.failure]
    waiting = [*map(str, (mute | missing).values()), *(f"servers in pod {name} are still being built or deleted"
                                                       for name, busy in changing.items() if busy)]
    if problems or waiting:
        raise JobFailed("; ".join([*problems, *waiting]), patient=not problems)


def plan(around: Surroundings, project_id: str) -> Plan:
    """What each pod that answered has yet to do."""
    rows = _rows(around.db, project_id)
    seen, missing = scatter(rows, lambda name: members.look(around.db, around.upstream, project_id, rows[name],
                                                            around.conf.bridge.cidr))
    return {name: steps for name in seen if (steps := members.steps(name, seen, set(missing)))}, missing


def _rows(db: Database, project_id: str) -> dict[str, dict]:
    spanned = spans.of_project(db, project_id)
    return {name: pod for name, pod in pods.by_name(db).items() if pod["pod_id"] in spanned}
