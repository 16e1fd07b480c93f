"""The jobs `qos_policy`, `subnetpool` and `address_scope`: all replicas of such a thing follow its home."""
from tricircle.crosspod import followers, pairing
from tricircle.crosspod.pairing import Pair
from tricircle.jobs.context import Context, JobFailed, Plan, Surroundings
from tricircle.store import pods, replicas, routings
from tricircle.upstream.scatter import scatter


def converge(context: Context) -> None:
    """Bring every replica up to date.

    Raises:
        JobFailed: a pod refused a step or did not answer.
        PlaybookFailed, Unavailable: as usual.
    """
    todo, unreachable = settled(context, context.job["resource_id"])
    outcomes = context.apply("converge_replicas", todo) if todo else {}
    problems = [f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure]
    if problems or unreachable:
        raise JobFailed("; ".join([*problems, *map(str, unreachable.values())]), patient=not problems)


def settled(around: Surroundings, resource_id: str) -> Plan:
    """What each pod with a replica has yet to do; a row that names none is dropped."""
    seen, unreachable = _look(around, resource_id)
    for pair, _ in seen.values():
        if pair.is_stale:
            pairing.forget(around.db, pair)
    return _steps(seen), unreachable


def plan(around: Surroundings, resource_id: str) -> Plan:
    """What each pod with a replica has yet to do; nothing is changed."""
    seen, unreachable = _look(around, resource_id)
    return _steps(seen), unreachable


def _steps(seen: dict[str, tuple[Pair, list[dict]]]) -> dict[str, list[dict]]:
    return {pod: steps for pod, (_, steps) in seen.items() if steps}


def _look(around: Surroundings, resource_id: str) -> tuple[dict[str, tuple[Pair, list[dict]]], dict[str, Exception]]:
    """({pod: both sides, steps}, {pod that did not answer: why})."""
    db = around.db
    known, spanned = routings.home(db, resource_id), replicas.of_resource(db, resource_id)
    if not known:
        return {}, {}   # deleted, and its replicas before it; or not known yet, and then nothing was replicated
    home = pods.show(db, known["pod_id"])
    rows = {pod["pod_name"]: pod for pod in pods.bottom(db) if pod["pod_id"] in spanned.keys() - {home["pod_id"]}}

    def pair(name: str) -> tuple[Pair, list[dict]] | None:
        found = pairing.read(db, around.upstream, resource_id, home, rows[name])
        return (found, followers.plan(db, around.upstream, found)) if found else None

    seen, unreachable = scatter(rows, pair)
    return {name: each for name, each in seen.items() if each}, unreachable
