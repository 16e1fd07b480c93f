"""Extra routes of a router that reaches over pods: each is put where its next hop is.

A pod's Neutron takes a route only when the next hop is on a subnet of its own router. So a route to a host of another
pod goes to the router's replica there, and the job `router` leads the other pods' traffic to it over the bridge.
"""
import json
import logging
import re
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any

from tricircle.api import generic, stretched
from tricircle.api.forward import failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.stretched import ROUTES
from tricircle.crosspod import view
from tricircle.errors import ApiError, BadRequest, PodUnreachable
from tricircle.jobs.queue import announced
from tricircle.routing import rewrite
from tricircle.routing.catalogue import Path
from tricircle.store import pods
from tricircle.upstream.client import Answer

LOG = logging.getLogger(__name__)
ADD, REMOVE = "/add_extraroutes", "/remove_extraroutes"
KEYS = ("destination", "nexthop")   # Neutron looks at no others in what is added or removed
Routes = list[dict]
# As Neutron writes a route into the words of a refusal (neutron/db/extraroute_db.py, `InvalidRoutes`).
SAID = re.compile(r"\{'destination': '[^']*', 'nexthop': '(?P<hop>[^']*)'\}(, )?")


def change(gateway: Gateway, request: Request, path: Path, router: dict,
           cidrs: dict[str, list[str]]) -> Response | None:
    """Set, add or remove extra routes, some of which are, or shall be, in other pods than the router's home.

    Args:
        gateway, request, path: as in `generic.serve`.
        router: as its home shows it to the user, who may change it.
        cidrs: {pod: subnets on which the router has an address there}.

    Returns:
        The router as its home has it now, or a pod's refusal; None when the home can do it alone.

    Raises:
        ApiError: a pod that has to be asked does not answer.
    """
    wanted = asked_for(request, path)
    if wanted is not None:
        wanted = _apart_from_bridges(gateway, request, path, wanted, cidrs)
    home = gateway.locator.find(request.caller, "network", "routers", path.member)
    if wanted is None or not home or cidrs.keys() <= {home["pod_name"]}:
        return None
    had, missing = stretched.look(gateway, request.caller, [path.member])
    if missing:
        raise failure(next(iter(missing.values())))
    away = {name: record.get(ROUTES) or [] for name, record in had.get(path.member, {}).items()}
    parts = split(wanted, cidrs, home["pod_name"])
    if not any(away.values()) and parts.keys() <= {home["pod_name"]}:
        return None
    with announced(gateway.db, "router", {path.member: router["project_id"]}):
        hidden = view.plumbing(router, gateway.conf.bridge.cidr)
        return _Change(gateway, request, path, home, hidden).carry_out(parts, away)


def asked_for(request: Request, path: Path) -> Routes | None:
    """Return the routes in a body; None where it has none, or none that can be read: a pod says so."""
    body = (request.body_json or {}).get("router")
    if request.method != "PUT" or path.rest not in ("", ADD, REMOVE) or not isinstance(body, dict):
        return None
    routes = body.get(ROUTES)
    if routes is None and ROUTES in body and not path.rest:
        return []   # Neutron takes null for that in a whole list (neutron_lib/api/definitions/extraroute.py)
    if not isinstance(routes, list):
        return None
    if path.rest == REMOVE:   # of what is no route none is there
        routes = [route for route in routes if _is_route(route)]
    elif not all(_is_route(route) and (path.rest or len(route) == len(KEYS)) for route in routes):
        return None
    return [_plain(route) for route in routes]


def _plain(route: dict) -> dict:
    """A route as Neutron writes it; a destination with host bits, which it refuses, stays as it is."""
    return {"destination": route["destination"].lower(), "nexthop": str(ip_address(route["nexthop"]))}


def _is_route(route: Any) -> bool:
    if not isinstance(route, dict) or not all(isinstance(route.get(key), str) for key in KEYS):
        return False
    try:
        return bool(ip_network(route["destination"], strict=False) and ip_address(route["nexthop"]))
    except ValueError:
        return False


def _apart_from_bridges(gateway: Gateway, request: Request, path: Path, routes: Routes,
                        cidrs: dict[str, list[str]]) -> Routes:
    """Return the routes whose next hops are on no bridge; to the user the router has no port there.

    Neutron takes no such route, and passes over, without an error, one that it is to remove and does not have: the
    others are what the request removes then.

    Raises:
        BadRequest: in Neutron's words.
    """
    nets = [ip_network(net) for there in cidrs.values() for net in there]
    kept = [route for route in routes if not _within(route["nexthop"], gateway.conf.bridge.cidr)
            or any(ip_address(route["nexthop"]) in net for net in nets)]
    if len(kept) < len(routes):
        if path.rest != REMOVE:
            raise _not_connected(routes)
        _put_into(request, kept)
    return kept


def _not_connected(routes: Any) -> BadRequest:
    return BadRequest(f"Invalid format for routes: {routes}, the nexthop is not connected with router", "InvalidRoutes")


def _put_into(request: Request, routes: Routes) -> None:
    request.body_json["router"][ROUTES] = routes
    request.body = rewrite.dump(request.body_json)


def split(routes: Routes, cidrs: dict[str, list[str]], home: str) -> dict[str, Routes]:
    """Sort routes by the pod of their next hop. Pure.

    Args:
        routes: destination and nexthop of each.
        cidrs: {pod: subnets on which the router has an address there}.
        home: name of the pod that gets, and refuses, what is nowhere.

    Returns:
        {pod: its routes}.
    """
    found: dict[str, Routes] = {}
    for route in routes:
        hop = ip_address(route["nexthop"])
        there = [name for name, nets in cidrs.items() if any(hop in ip_network(net) for net in nets)]
        found.setdefault(home if home in there else next(iter(there), home), []).append(route)
    return found


def without_plumbing(response: Response, supernet: str) -> Response:
    """Take the routes of the bridges out of a refusal, which repeats the whole list."""
    if 400 <= response.status < 500 and b"'nexthop'" in response.body:
        document = json.loads(response.body)
        for *_, field, holder, value in rewrite.walk(document):
            if isinstance(value, str) and isinstance(holder, dict):
                holder[field] = SAID.sub(lambda said: "" if _within(said["hop"], supernet) else said[0], value)
        response.body = rewrite.dump(document)
    return response


def _within(hop: Any, supernet: str) -> bool:
    try:
        return ip_address(hop) in ip_network(supernet)
    except ValueError:
        return False


def _is_unknown(error: ApiError | PodUnreachable) -> bool:
    """Whether the home may have done what it was asked for: then the rest of it stays, too."""
    return error.doubtful if isinstance(error, PodUnreachable) else error.status in (502, 504)


@dataclass(frozen=True)
class _Change:
    """One change of a router's routes.

    Args:
        gateway, request, path: as in `generic.serve`.
        home: row of the router's home pod.
        hidden: the bridges' routes there.
    """

    gateway: Gateway
    request: Request
    path: Path
    home: dict
    hidden: Routes

    def carry_out(self, parts: dict[str, Routes], away: dict[str, Routes]) -> Response:
        """Do it, or leave everything as it was: what comes first, then the home, then what goes.

        Args:
            parts: {pod: routes that the user names}.
            away: {pod: the user's routes on its replica}.
        """
        bottom = pods.by_name(self.gateway.db)
        others = {name: parts.get(name, []) for name in away.keys() | parts.keys() - {self.home["pod_name"]}}
        come = {name: [route for route in wanted if route not in away.get(name, [])] for name, wanted in others.items()
                if self.path.rest != REMOVE}
        go = {name: [route for route in away.get(name, []) if (route in wanted) == (self.path.rest == REMOVE)]
              for name, wanted in others.items() if self.path.rest != ADD}
        done: dict[str, Routes] = {}
        try:
            response = self._come(bottom, come, done) or self._at_home(parts.get(self.home["pod_name"], []))
        except (ApiError, PodUnreachable) as error:
            if not _is_unknown(error):
                self._undo(bottom, done)
            raise
        if response.status != 200:
            self._undo(bottom, done)
            return response
        for name, routes in go.items():
            answer = self._put(bottom[name], REMOVE, routes) if routes else None
            if answer is not None and not answer.ok and answer.status != 404:
                return present(self.gateway, self.request, self.path, bottom[name], answer)
        return response

    def _come(self, bottom: dict[str, dict], come: dict[str, Routes], done: dict[str, Routes]) -> Response | None:
        """Add routes to replicas, which is noted in `done`; a pod's refusal, or None."""
        for name, routes in come.items():
            answer = self._put(bottom[name], ADD, routes) if routes else None
            if answer is not None and not answer.ok:
                return present(self.gateway, self.request, self.path, bottom[name], answer)
            done[name] = routes
        return None

    def _at_home(self, routes: Routes) -> Response:
        """The home's share; whatever else a PUT changes is the home's, too."""
        if self.path.rest and not routes:
            shown = replace(self.path, rest="")
            return generic.plain(self.gateway, self.request.question(shown.whole), shown)
        all_of_them = routes if self.path.rest else routes + self.hidden
        asked = self.request.with_json({"router": self.request.body_json["router"] | {ROUTES: all_of_them}})
        return generic.plain(self.gateway, asked, self.path)

    def _undo(self, bottom: dict[str, dict], done: dict[str, Routes]) -> None:
        for name, routes in done.items():
            try:
                answer = self._put(bottom[name], REMOVE, routes) if routes else None
            except PodUnreachable as error:
                answer = error
            if isinstance(answer, PodUnreachable) or (answer is not None and not answer.ok):
                LOG.error("router %s keeps routes in pod %s that were refused elsewhere: %s", self.path.member, name,
                          routes)

    def _put(self, pod: dict, verb: str, routes: Routes) -> Answer:
        """In the user's name."""
        there = replace(self.path, rest=verb)
        asked = replace(self.request.with_json({"router": {ROUTES: routes}}), path=there.whole, query="")
        return send(self.gateway, asked, there, pod, target=there.whole)


def keep_plumbing(request: Request, path: Path, router: dict, supernet: str) -> None:
    """Put the bridges' routes, which the user does not see, back into a list that replaces all routes.

    Raises:
        BadRequest: a route that only Neutron can read may lead into a bridge.
    """
    wanted, body = asked_for(request, path), (request.body_json or {}).get("router")
    hidden = view.plumbing(router, supernet)
    given = body.get(ROUTES) if isinstance(body, dict) and request.method == "PUT" else None
    if not hidden or path.rest not in ("", ADD):
        return
    if wanted is None and isinstance(given, list) and any(_may_be_within(route, path, supernet) for route in given):
        raise _not_connected(given)
    if not path.rest and (wanted == [] or isinstance(given, list)):
        _put_into(request, (given or []) + hidden)


def _may_be_within(route: Any, path: Path, supernet: str) -> bool:
    """Whether a next hop is in a range.

    netaddr reads spellings that `ipaddress` does not; a next hop in such a one counts as inside where it is added.
    """
    hop = route.get("nexthop") if isinstance(route, dict) else None
    return _within(hop, supernet) or (path.rest == ADD and hop is not None and not _is_address(hop))


def _is_address(hop: Any) -> bool:
    try:
        return isinstance(hop, str) and bool(ip_address(hop))
    except ValueError:
        return False
