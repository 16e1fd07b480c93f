"""What a request calls by a name that means the same everywhere (flavor, keypair, volume type) is in its pod."""
import logging
from urllib.parse import quote

from tricircle.api import fanout
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.crosspod import bring, naming
from tricircle.crosspod.alike import believed
from tricircle.crosspod.shapes import SHAPES, Shape
from tricircle.errors import BadGateway
from tricircle.routing import rewrite
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import SERVICES, UUID
from tricircle.routing.references import Mentions
from tricircle.store import behind, named, pods, replicas
from tricircle.upstream.client import Answer
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
FLAVORS, KEYPAIRS, TYPES = (SHAPES[kind] for kind in ("compute/flavors", "compute/os-keypairs", "volume/types"))


def satisfy(gateway: Gateway, request: Request, found: Mentions, pod: dict, deadline: Deadline) -> None:
    """See to it that they are there, as the other pods have them; what none has is left to the pod to refuse.

    Args:
        gateway, request: as in `needs.satisfy`.
        found: what the body mentions.
        pod: where the request goes.
        deadline: for all of them.

    Raises:
        PodUnreachable: a pod that is needed for it does not answer.
        ApiError: the pod cannot take it.
    """
    caller = request.caller
    for flavor in deadline.each(found.flavors):
        _ensure(gateway, caller, FLAVORS, flavor, flavor, pod)
    for name in deadline.each(found.keypairs):
        _ensure(gateway, caller, KEYPAIRS, f"{caller.user_id}/{name}", name, pod)
    if found.types:
        request.body = fanout.home_ids(gateway, request).body
    for wanted in deadline.each(found.types):
        home = _type(gateway, caller, wanted)
        if home:
            _ensure(gateway, caller, TYPES, home, home, pod)


def _type(gateway: Gateway, caller: Caller, wanted: str) -> str | None:
    """The home id of a volume type, which may be called by its name or by any of its ids."""
    def known() -> str | None:
        home = replicas.home_of(gateway.db, wanted) or named.home(gateway.db, TYPES.kind, wanted)
        return home or (wanted if UUID.match(wanted) and named.name(gateway.db, wanted) else None)

    home = known()
    if home is None and fanout.is_shown(gateway, caller, TYPES, wanted):
        naming.learn(gateway.db, gateway.upstream, TYPES)
    return home or known()


def _ensure(gateway: Gateway, caller: Caller, shape: Shape, key: str, name: str, pod: dict) -> None:
    """Nothing is done when the pod shows it to the caller, or no other pod does.

    Nor for whom no pod shows it: what is private is brought up to date for those who may use it.
    """
    late = behind.of(gateway.db, shape.kind, key)
    here = _shown(gateway, caller, shape, name, pod)
    if pod["pod_id"] not in late and here.status != 404:
        return
    rows = {row["pod_name"]: row for row in believed(pods.bottom(gateway.db), late)
            if row["pod_id"] != pod["pod_id"]}
    answers, failed = scatter(rows, lambda each: _shown(gateway, caller, shape, name, rows[each]))
    exists = any(answer.ok for answer in answers.values())
    if exists or (here.ok and not failed):
        try:
            bring.ensure(gateway.db, gateway.upstream, shape, key, pod)
        except BadGateway:
            if not exists:
                raise   # it is gone elsewhere, and this pod does not let it go
            # A pod does not change a type that is in use: then it serves with what it has.
            LOG.warning("%s %s is not up to date in pod %s", shape.kind, key, pod["pod_name"], exc_info=True)
    elif here.ok:
        raise next(iter(failed.values()))


def _shown(gateway: Gateway, caller: Caller, shape: Shape, name: str, pod: dict) -> Answer:
    """What a pod shows to the caller, whatever microversion his request speaks."""
    path = f"{caller.prefix(SERVICES[shape.service])}/{shape.collection}/{quote(name, safe='')}"
    headers = {field: value for field, value in caller.headers.items() if "api-version" not in field.lower()}
    return gateway.upstream.call(pod["pod_name"], shape.service, "GET",
                                 rewrite.down(gateway.db, pod["pod_id"], path.encode()).decode(), headers=headers,
                                 deadline=Deadline(gateway.upstream.conf.list_deadline))
