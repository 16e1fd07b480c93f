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
    problems, unreachable = _apply(context, thing, wanted, late)
    done = [pod for name, pod in late.items() if name not in problems | unreachable]
    for pod in done if wanted is None and shape.named else ():
        replicas.drop(db, key, pod["pod_id"])
    behind.caught_up(db, shape.kind, key, {pod["pod_id"]: seen[pod["pod_id"]] for pod in done})
    if problems or unreachable:
        raise JobFailed("; ".join([*problems.values(), *unreachable.values()]), patient=not problems)


def _apply(context: Context, thing: alike.Thing, wanted: alike.State | None,
           late: dict[str, dict]) -> tuple[dict[str, str], dict[str, str]]:
    """Round after round until nothing is left to do. Returns {pod: what it refused}, {pod: that it does not answer}."""
    problems: dict[str, str] = {}
    unreachable: dict[str, str] = {}
    before: dict[str, list[dict]] = {}
    for _ in range(ROUNDS):
        names = [name for name in late if name not in problems | unreachable]
        plans, failed = scatter(names, lambda name: thing.steps(late[name], wanted))
        unreachable |= {name: str(error) for name, error in failed.items()}
        todo = {name: steps for name, steps in plans.items() if steps and steps != before.get(name)}
        if not todo:
            break
        outcomes = context.apply("converge_everywhere", todo)
        for name, outcome in outcomes.items():
            if outcome.failure:
                # Status 0: no answer came, so nothing was refused.
                (problems if outcome.failure.status else unreachable)[name] = f"pod {name}: {outcome.failure}"
        before = todo
    return problems, unreachable
