"""Flavors and keypairs: the same thing in every pod, under a key that the user knows. A pod that lacks one gets it."""
import json
from urllib.parse import quote

from tricircle.routing.caller import Caller
from tricircle.store import Database, pods
from tricircle.upstream.client import Answer, Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

FLAVOR_FIELDS = ("name", "ram", "vcpus", "disk", "id", "swap", "rxtx_factor", "OS-FLV-EXT-DATA:ephemeral",
                 "os-flavor-access:is_public", "description")
JSON = {"Content-Type": "application/json"}
# Keypair types and flavor descriptions are younger than 2.1; every pod since Ocata speaks this.
MICROVERSION = {"OpenStack-API-Version": "compute 2.2", "X-OpenStack-Nova-API-Version": "2.2"}


def ensure_flavor(db: Database, upstream: Upstream, caller: Caller, flavor_id: str, pod: dict) -> None:
    """Copy a flavor, with its extra specs, from any other pod that shows it to the caller.

    When none does, nothing is done: the pod's own answer will name the unknown flavor. Raises PodUnreachable.
    """
    path = f"/v2.1/flavors/{quote(flavor_id, safe='')}"
    headers = _plain(caller)
    if upstream.call(pod["pod_name"], "compute", "GET", path, headers=headers).status != 404:
        return
    source, answer = _elsewhere(db, upstream, caller, path, pod)
    if answer is None:
        return
    flavor = answer.json()["flavor"]
    body = {name: flavor[name] for name in FLAVOR_FIELDS if flavor.get(name) not in (None, "")}
    specs = upstream.call(source, "compute", "GET", f"{path}/os-extra_specs", headers=headers)
    made = upstream.ask(pod["pod_name"], "compute", "POST", "/v2.1/flavors", {"flavor": body})
    extra = (specs.json() or {}).get("extra_specs") if specs.ok else None
    if made.ok and extra:
        upstream.ask(pod["pod_name"], "compute", "POST", f"{path}/os-extra_specs", {"extra_specs": extra})
    if made.ok and not flavor.get("os-flavor-access:is_public", True):
        upstream.ask(pod["pod_name"], "compute", "POST", f"{path}/action",
                     {"addTenantAccess": {"tenant": caller.project_id}})


def ensure_keypair(db: Database, upstream: Upstream, caller: Caller, name: str, pod: dict) -> None:
    """Copy a keypair of the caller's, with his own token: keypairs belong to users. Raises PodUnreachable."""
    path = f"/v2.1/os-keypairs/{quote(name, safe='')}"
    headers = _plain(caller) | MICROVERSION
    if upstream.call(pod["pod_name"], "compute", "GET", path, headers=headers).status != 404:
        return
    _, answer = _elsewhere(db, upstream, caller, path, pod, MICROVERSION)
    if answer is None:
        return
    keypair = answer.json()["keypair"]
    body = {field: keypair[field] for field in ("name", "public_key", "type") if field in keypair}
    upstream.call(pod["pod_name"], "compute", "POST", "/v2.1/os-keypairs", headers=headers | JSON,
                  body=json.dumps({"keypair": body}).encode())


def _plain(caller: Caller) -> dict[str, str]:
    """The caller's headers without the microversion of his request: it is not for our own questions."""
    return {name: value for name, value in caller.headers.items() if "api-version" not in name.lower()}


def _elsewhere(db: Database, upstream: Upstream, caller: Caller, path: str, pod: dict,
               extra: dict[str, str] | None = None) -> tuple[str, Answer | None]:
    names = [row["pod_name"] for row in pods.bottom(db) if row["pod_id"] != pod["pod_id"]]
    deadline = Deadline(upstream.conf.list_deadline)
    answers, _ = scatter(names, lambda name: upstream.call(
        name, "compute", "GET", path, headers=_plain(caller) | (extra or {}), deadline=deadline))
    return next(((name, answer) for name, answer in answers.items() if answer.ok), ("", None))
