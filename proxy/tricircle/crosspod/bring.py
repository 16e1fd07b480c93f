"""Bring a thing that is the same everywhere up to date in a pod, here and now."""
from tricircle.crosspod import alike, naming
from tricircle.crosspod.shapes import SHAPES, Shape
from tricircle.crosspod.steps import run
from tricircle.errors import BadGateway, Conflict
from tricircle.store import Database, behind, named, pods, replicas
from tricircle.upstream.client import Upstream

ROUNDS = 4   # delete what is wrong, make it, give it its parts, see that all is well


def ensure(db: Database, upstream: Upstream, shape: Shape, key: str, pod: dict) -> None:
    """See to it that a pod has a thing as the others have it; one that none of them has is left to the pod to refuse.

    Raises:
        PodUnreachable: the pod, or all that may know the thing, do not answer.
        Conflict: the pod has something else under the same name.
        BadGateway: the pod refuses it.
    """
    seen = behind.of(db, shape.kind, key)
    thing = alike.Thing(db, upstream, shape, key)
    others = [row for row in alike.believed(pods.bottom(db), seen) if row["pod_id"] != pod["pod_id"]]
    late = pod["pod_id"] in seen
    wanted = thing.truth(others)
    if wanted is None and not late:
        return
    converge(thing, pod, wanted)
    if late:
        behind.caught_up(db, shape.kind, key, {pod["pod_id"]: seen[pod["pod_id"]]})
    for field, collection in shape.refers if wanted else ():
        if wanted.record.get(field):
            _refer(db, upstream, SHAPES[f"{shape.service}/{collection}"], wanted.record[field], pod)


def _refer(db: Database, upstream: Upstream, shape: Shape, key: str, pod: dict) -> None:
    """What a thing refers to comes along; it may be the first that is heard of it."""
    if named.name(db, key) is None:
        naming.learn(db, upstream, shape)
    ensure(db, upstream, shape, replicas.home_of(db, key) or key, pod)


def converge(thing: alike.Thing, pod: dict, wanted: alike.State | None) -> None:
    """Make one pod like `wanted`. Raises as `ensure`."""
    before, failure = None, None
    for _ in range(ROUNDS):
        steps = thing.steps(pod, wanted)
        if failure and steps == before:
            raise Conflict(f"pod {pod['pod_name']}: {failure}")
        if not steps or steps == before:
            break
        before = steps

        def send(method: str, path: str, body):
            answer = alike.ask(thing.upstream, pod["pod_name"], method, path, body)
            return answer.status, answer.json()

        _, failure = run(steps, send)
        # 409: another request may be making the same; the next round takes a look.
        if failure and failure.status != 409:
            raise BadGateway(f"pod {pod['pod_name']}: {failure}")
    if wanted is None and thing.shape.named:
        replicas.drop(thing.db, thing.key, pod["pod_id"])
