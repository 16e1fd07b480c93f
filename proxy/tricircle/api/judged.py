"""Let a pod judge the user before anything is done for the user with our own account.

A row of ours says where a thing is, and proves nothing about who may see or change it. So the home of the thing is
asked with the user's own token: by a GET, or by a PUT that changes nothing. Neutron judges such a PUT as it judges a
deletion or an action: its rules for them are the same unless an operator makes them differ (neutron/conf/policies).
A PUT without fields still raises the `revision_number` of a router, a subnet or a subnet pool. So the PUT asks for a
revision that never is: Neutron looks at its policy, and then refuses the write with 412 (extension `revision-if-match`,
neutron/services/revisions/revision_plugin.py).
"""
import json
from dataclasses import replace
from typing import Any

from tricircle.api.forward import send, translate
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request
from tricircle.errors import PodUnreachable
from tricircle.routing.catalogue import NETWORK, UUID, Path, parse, singular
from tricircle.routing.replicas import Refused
from tricircle.upstream.client import member

JSON = {"content-type": "application/json", "accept": "application/json"}
NEVER = {"if-match": "revision_number=-1"}
# Types of errors that Neutron raises only after its policy has let the user through: the precondition is not met; a
# pool that has lost its last prefix, or is in an address scope of another project, takes no PUT.
ALLOWED = ("RevisionNumberConstraintFailed", "EmptySubnetPoolPrefixList", "IllegalSubnetPoolUpdate")


def seen(gateway: Gateway, request: Request, collection: str, resource_id: str) -> dict | None:
    """Something of Neutron's as its home shows it to the user.

    Args:
        gateway, request: as everywhere.
        collection: its path, `routers`.
        resource_id: home id.

    Returns:
        The record in home ids; None when no pod has it, which a pod can say better than we can.

    Raises:
        Refused: the home does not show it to the user; in its own words.
        PodUnreachable, Unavailable: the home does not answer, or none that might be it.
    """
    return _ask(gateway, request, "GET", collection, resource_id)


def changeable(gateway: Gateway, request: Request, collection: str, resource_id: str) -> dict | None:
    """The same for something that the user may also change.

    RBAC policies cannot be asked for so: they have no revision, and Neutron breaks over a PUT without their target
    (neutron/objects/rbac_db.py `validate_rbac_policy_update`).

    Args:
        gateway, request, collection, resource_id: as in `seen`.

    Raises:
        Refused, PodUnreachable, Unavailable: as `seen`.
    """
    body: dict[str, Any] = {singular(collection): {}}
    try:
        return _ask(gateway, request, "PUT", collection, resource_id, body, NEVER)
    except Refused as refused:
        error = member(refused.answer, "NeutronError")
        if error.get("type") in ALLOWED:
            return seen(gateway, request, collection, resource_id)
        if refused.status == 400 and "if-match" in str(error.get("message")):   # a Neutron without that extension
            return _ask(gateway, request, "PUT", collection, resource_id, body)
        raise


def shows(gateway: Gateway, request: Request, path: Path) -> bool:
    """Whether the home of what a path addresses, in any service, shows it to the user. Raises as `seen`."""
    thing = replace(path, rest="")
    home = gateway.locator.find(request.caller, path.service.name, path.collection.path, path.member)
    return bool(home) and send(gateway, request.question(thing.whole), thing, home, target=thing.whole).ok


def _ask(gateway: Gateway, request: Request, method: str, collection: str, resource_id: str,
         body: Any = None, precondition: dict[str, str] | None = None) -> dict | None:
    home = gateway.locator.find(request.caller, NETWORK.name, collection, resource_id) if UUID.match(resource_id) \
        else None
    if not home:
        return None
    path = parse(NETWORK, f"/v2.0/{collection}/{resource_id}")
    # The user's headers speak of the user's own body.
    caller = replace(request.caller, headers=request.caller.headers | JSON | (precondition or {}))
    asked = replace(request.question(path.whole), method=method, caller=caller, body_json=body,
                    body=b"" if body is None else json.dumps(body).encode())
    answer = send(gateway, asked, path, home, target=path.whole)
    if answer.status >= 500:
        raise PodUnreachable(home["pod_name"], NETWORK.name, f"answered {answer.status} to {method} {path.whole}")
    answer = replace(answer, body=translate(gateway, asked, path, home, answer.body))
    if not answer.ok:
        raise Refused(answer)
    found = member(answer, singular(collection))
    if found.get("id") != resource_id or not isinstance(found.get("project_id"), str):
        raise PodUnreachable(home["pod_name"], NETWORK.name, f"answered {answer.status} without the "
                             f"{singular(collection)}", doubtful=method != "GET")
    return found
