"""A router's gateway is in the pod of its external network: at home, or on the replica there. The user sees one router.

An old gateway goes before a new one comes in another pod, so that there are never two; what is refused is put back.
"""
import json
import logging
from dataclasses import dataclass, replace
from typing import Any

from tricircle.api import generic, judged, stretched
from tricircle.api.forward import failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.stretched import INFO, NONE
from tricircle.errors import ApiError, PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.routing import replicas, rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import interfaces, pods
from tricircle.upstream.client import Answer

LOG = logging.getLogger(__name__)


def change(gateway: Gateway, request: Request, path: Path, router: dict) -> Response | None:
    """Set, move or clear a gateway that is, or shall be, in another pod than its router's home.

    Args:
        gateway, request, path: as in `generic.serve`.
        router: as its home shows it to the user, who may change it.

    Returns:
        The router as its home has it now, or a pod's refusal; None when the home can do it alone.

    Raises:
        ApiError: a pod that has to be asked does not answer.
    """
    body = (request.body_json or {}).get("router")
    home = gateway.locator.find(request.caller, "network", "routers", path.member)
    if request.method != "PUT" or path.rest or not isinstance(body, dict) or INFO not in body or not home:
        return None
    had, missing = stretched.look(gateway, request.caller, [path.member])
    if missing:
        raise failure(next(iter(missing.values())))
    away = {name: router[INFO] for name, router in had.get(path.member, {}).items() if router.get(INFO)}
    aim = target(gateway, request, body[INFO])
    if not away and (aim is None or aim["pod_id"] == home["pod_id"]):
        return None
    task = _Change(gateway, request, path, home)
    with announced(gateway.db, "router", {path.member: router["project_id"]}):
        if aim:
            interfaces.join(gateway.db, path.member)
        try:
            return task.carry_out(body, aim, away)
        except PodUnreachable as error:
            raise failure(error) from error


def clear(gateway: Gateway, request: Request, path: Path, router: dict) -> Response | None:
    """Clear the gateway of a router that is about to be deleted, where it is not at home; a refusal, or None."""
    question = replace(request, method="PUT", query="", body_json={"router": {INFO: None}})
    response = change(gateway, question, path, router)
    return response if response and response.status != 200 else None


def create(gateway: Gateway, request: Request, path: Path) -> Response | None:
    """A router for one zone with a gateway in another: made there, given its gateway here; or not made at all."""
    body = (request.body_json or {}).get("router")
    if request.method != "POST" or path.member or not isinstance(body, dict):
        return None
    zones = body.get("availability_zone_hints")
    if not zones or not isinstance(zones, list):   # a value that is no list is left for the pod to refuse
        return None
    aim = target(gateway, request, body.get(INFO))
    if aim is None or aim["az_name"] in zones:
        return None
    made = generic.plain(gateway, _with_body(request, {key: body[key] for key in body if key != INFO}), path)
    if made.status != 201:
        return made
    router = json.loads(made.body)["router"]
    member = replace(path, member=router["id"])
    asked = replace(_with_body(request, {INFO: body[INFO]}), method="PUT", path=member.whole)
    try:
        response = change(gateway, asked, member, router) or generic.plain(gateway, asked, member)
    except ApiError:
        _unmake(gateway, request, member)
        raise
    if response.status == 200:
        response.status = 201
    else:
        _unmake(gateway, request, member)
    return response


def _unmake(gateway: Gateway, request: Request, path: Path) -> None:
    generic.plain(gateway, replace(request, method="DELETE", path=path.whole, query="", body=b"", body_json=None), path)


def target(gateway: Gateway, request: Request, wanted: Any) -> dict | None:
    """The pod of the external network that is asked for; None when there is none.

    Raises:
        Refused: the network's home does not show it to the user.
        ApiError: the home does not answer.
    """
    network = wanted.get("network_id") if isinstance(wanted, dict) else None
    if not isinstance(network, str) or not judged.seen(gateway, request, "networks", network):
        return None
    return gateway.locator.find(request.caller, "network", "networks", network)


def _with_body(request: Request, router: dict) -> Request:
    return replace(request.with_json({"router": router}), query="")


@dataclass(frozen=True)
class _Change:
    """One change of a router; `home` is the row of its home pod."""

    gateway: Gateway
    request: Request
    path: Path
    home: dict

    def carry_out(self, body: dict, target: dict | None, away: dict[str, dict]) -> Response:
        """Do it, or leave everything as it was.

        Args:
            body: the router as the user wants it.
            target: row of the external network's pod, if there is one.
            away: {pod name: gateway} on replicas.
        """
        shown = generic.plain(self.gateway, self.request.question(), self.path)
        if shown.status != 200:
            return shown
        at_home = json.loads(shown.body)["router"].get(INFO)
        had = away | ({self.home["pod_name"]: at_home} if at_home else {})
        bottom = pods.by_name(self.gateway.db)
        if body[INFO] not in NONE:
            target = target or bottom[next(iter(had))]   # for a network that nobody knows any pod finds the words
        refusal = self._move(bottom, body[INFO], target, had) or self._the_rest(bottom, body, target, had)
        return refusal or generic.plain(self.gateway, self.request.question(), self.path)

    def _move(self, bottom: dict[str, dict], wanted: Any, target: dict | None, had: dict[str, dict]) -> Response | None:
        if target and target["pod_id"] != self.home["pod_id"]:
            replicas.ensure(self.gateway.db, self.gateway.upstream, self.request.caller, "routers", self.path.member,
                            self.home, target)
        cleared = {}
        for name in [name for name in had if not target or name != target["pod_name"]]:
            answer = self._put(bottom[name], {INFO: None})
            if not answer.ok:
                self._put_back(bottom, cleared)
                return self._present(bottom[name], answer)
            cleared[name] = had[name]
        if not target:
            return None
        try:
            answer = self._put(target, {INFO: wanted})
        except PodUnreachable as error:
            if not error.sent:
                self._put_back(bottom, cleared)
            raise
        if answer.ok:
            return None
        self._put_back(bottom, cleared)
        return self._present(target, answer)

    def _the_rest(self, bottom: dict[str, dict], body: dict, target: dict | None,
                  had: dict[str, dict]) -> Response | None:
        """What else is changed is the home's."""
        rest = {key: body[key] for key in body if key != INFO}
        answer = self._put(self.home, rest) if rest else None
        if answer is None or answer.ok:
            return None
        if target and target["pod_name"] not in had:
            self._put(target, {INFO: None})
        self._put_back(bottom, had)
        return self._present(self.home, answer)

    def _put(self, pod: dict, router: dict) -> Answer:
        """In the user's name."""
        return send(self.gateway, _with_body(self.request, router), self.path, pod, target=self.path.whole)

    def _put_back(self, bottom: dict[str, dict], had: dict[str, dict]) -> None:
        """With the same addresses, which a user may not choose."""
        for name, info in had.items():
            local = rewrite.down(self.gateway.db, bottom[name]["pod_id"],
                                 rewrite.dump([self.path.member, {"router": {INFO: info}}]))
            member, body = json.loads(local)
            answer = self.gateway.upstream.ask(name, "network", "PUT", f"/v2.0/routers/{member}", body)
            if not answer.ok:
                LOG.error("router %s has lost its gateway %s in pod %s: %s", self.path.member, info, name, answer.body)

    def _present(self, pod: dict, answer: Answer) -> Response:
        return present(self.gateway, self.request, self.path, pod, answer)
