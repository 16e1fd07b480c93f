"""The job `everywhere`: pods that have missed a change of a flavor, keypair or volume type catch up."""
from tricircle.crosspod import alike
from tricircle.crosspod.bring import ROUNDS
from tricircle.crosspod.shapes import SHAPES
from tricircle.jobs.context import Context, JobFailed
from tricircle.store import behind, pods, replicas
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Make the pods that are behind like those that are not: also when it is gone there.

    Raises:
        JobFailed: a pod refused or did not answer.
        PodUnreachable, PlaybookFailed, Unavailable: as usual.
    """
    service, collection, key = context.job["resource_id"].split("/", 2)
    shape, db = SHAPES[f"{service}/{collection}"], context.db
    seen = behind.of(db, shape.kind, key)
    if not seen:
        return
    rows = pods.bottom(db)
    thing = alike.Thing(db, context.upstream, shape, key)
    wanted = thing.truth(alike.believed(rows, seen))
    late = {pod["pod_name"]: pod for pod in rows if pod["pod_id"] in seen}
    problems = _apply(context, thing, wanted, late)
    done = [pod for name, pod in late.items() if name not in problems]
    for pod in done if wanted is None and shape.named else ():
        replicas.drop(db, key, pod["pod_id"])
    behind.caught_up(db, shape.kind, key, {pod["pod_id"]: seen[pod["pod_id"]] for pod in done})
    if problems:
        raise JobFailed("; ".join(problems.values()))


def _apply(context: Context, thing: alike.Thing, wanted: alike.State | None, late: dict[str, dict]) -> dict[str, str]:
    """Round after round until nothing is left to do. Returns {pod: why it did not get there}."""
    problems: dict[str, str] = {}
    before: dict[str, list[dict]] = {}
    for _ in range(ROUNDS):
        names = [name for name in late if name not in problems]
        plans, failed = scatter(names, lambda name: thing.steps(late[name], wanted))
        problems |= {name: str(error) for name, error in failed.items()}
        todo = {name: steps for name, steps in plans.items() if steps and steps != before.get(name)}
        if not todo:
            break
        outcomes = context.apply("converge_everywhere", todo)
        problems |= {name: f"pod {name}: {outcome.failure}" for name, outcome in outcomes.items() if outcome.failure}
        before = todo
    return problems
