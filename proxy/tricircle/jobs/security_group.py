"""The job `security_group`: rules and sharing of all replicas of a group follow those of its home."""
from tricircle.jobs.context import Context, JobFailed
from tricircle.jobs.followers import settled
from tricircle.jobs.members import owed, owed_again
from tricircle.jobs.playbooks import Outcome
from tricircle.store import routings


def converge(context: Context) -> None:
    """Bring every replica up to date.

    Raises:
        JobFailed: a pod refused a rule or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    group_id = context.job["resource_id"]
    todo, unreachable = settled(context, group_id)
    outcomes = _apply(context, group_id, todo)
    problems = [f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure]
    if problems or unreachable:
        raise JobFailed("; ".join([*problems, *map(str, unreachable.values())]), patient=not problems)


def _apply(context: Context, group_id: str, todo: dict[str, list[dict]]) -> dict[str, Outcome]:
    """What the group itself says goes before what is said for members elsewhere: Neutron takes no second rule."""
    project_id = (routings.home(context.db, group_id) or context.job)["project_id"]
    if not todo:
        owed_again(context, project_id)
        return {}
    with owed(context.db, project_id):
        return context.apply("converge_security_group", todo)
