"""Claim prefixes of a subnet pool that is in several pods: no two subnets, wherever they are, may have the same.

Each pod's Neutron knows its own subnets only. So the gateway chooses, as Neutron would, and tells the pod which prefix
it is to be. Source of the rules and messages: Neutron's neutron/ipam/subnet_alloc.py.
"""
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from tricircle.errors import BadRequest, Conflict, PodUnreachable, StoreBusy, Unavailable
from tricircle.prefixes import Net, first_fit, nets, overlap, without
from tricircle.store import Database, pods, prefixes, replicas
from tricircle.store.db import now
from tricircle.store.prefixes import Look
from tricircle.upstream import ownership
from tricircle.upstream.client import Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

LOG = logging.getLogger(__name__)
# A pod that does not tell what it has by then has what it had: the others must not suffer for it.
ASK_SECONDS = 5.0
GRACE_SECONDS = 300.0  # a request makes replicas, with many calls, before it sends the subnet on
MOST_SEARCHED = 10_000   # pools in pods, of which a process remembers that they were searched for
QUOTA_UNIT = {4: 32, 6: 64}   # the quota of a pool counts addresses, and /64 networks


@dataclass(frozen=True)
class Claim:
    """Prefixes that one request has taken; see `store.prefixes` for how it ends."""

    db: Database
    pool_id: str
    pod_id: str
    cidrs: tuple[str, ...]

    def settle(self) -> None:
        """The pod has made what they are for."""
        self._end(prefixes.settle)

    def release(self) -> None:
        """The pod has made nothing."""
        self._end(prefixes.release)

    def _end(self, how: Callable) -> None:
        try:
            how(self.db, self.pool_id, self.pod_id, list(self.cidrs))
        except StoreBusy as error:
            LOG.warning("claim on %s of subnet pool %s runs out by itself: %s", self.cidrs, self.pool_id, error)


class Pools:
    """Takes prefixes of pools.

    Args:
        db, upstream: as everywhere.
    """

    def __init__(self, db: Database, upstream: Upstream):
        self.db, self.upstream = db, upstream
        self._searched: set[tuple[str, str]] = set()

    def claim(self, pool: dict, home: dict, pod: dict, project_id: str,
              decide: Callable[[list[dict]], list[str]]) -> Claim:
        """Take prefixes for subnets in a pod.

        Args:
            pool: as its home shows it.
            home: row of its home.
            pod: row of the pod where the subnets will be.
            project_id: whose they will be.
            decide: as in `store.prefixes.take`.

        Raises:
            Unavailable: the pod does not answer.
            ApiError: of `decide`.
        """
        rows = pods.by_name(self.db)
        deadline, began = Deadline(min(ASK_SECONDS, self.upstream.conf.list_deadline)), now()
        lists, silent = scatter(rows, lambda name: self._look(pool, home, rows[name], deadline))
        if pod["pod_name"] in silent:
            raise Unavailable(f"{silent[pod['pod_name']]}. Nothing was changed; try again later")
        for error in silent.values():
            LOG.warning("subnet pool %s: %s; what it had there is believed to be there still", pool["id"], error)
        look = Look(began, {rows[name]["pod_id"]: shown for name, shown in lists.items()})
        cidrs = prefixes.take(self.db, pool["id"], pod["pod_id"], project_id,
                              self.upstream.conf.deadline + GRACE_SECONDS, look, decide)
        return Claim(self.db, pool["id"], pod["pod_id"], tuple(cidrs))

    def _look(self, pool: dict, home: dict, pod: dict, deadline: Deadline) -> dict[str, str]:
        """{CIDR: project} of what a pod has of a pool. A replica that the store has lost is searched for once."""
        local = pool["id"] if pod["pod_id"] == home["pod_id"] else \
            replicas.of_resource(self.db, pool["id"]).get(pod["pod_id"])
        if local is None and (pool["id"], pod["pod_id"]) not in self._searched:
            local = ownership.search(self.db, self.upstream, pod, "subnetpools", pool["id"], pool["project_id"],
                                     deadline)
            if local:
                replicas.record(self.db, pool["id"], pod["pod_id"], "subnetpools", pool["project_id"], local)
            if len(self._searched) >= MOST_SEARCHED:   # whoever makes pools all day: another search costs one question
                self._searched.clear()
            self._searched.add((pool["id"], pod["pod_id"]))
        return _shown(self.upstream, pod["pod_name"], local, deadline) if local else {}


def _shown(upstream: Upstream, pod: str, local_id: str, deadline: Deadline) -> dict[str, str]:
    """{CIDR: project} of a pool's subnets in a pod. A broken or cut list would free what is in use."""
    found, path = {}, f"/v2.0/subnets?subnetpool_id={local_id}&fields=id&fields=cidr&fields=project_id"
    marker = ""
    while True:
        answer = upstream.ask(pod, "network", "GET", path + marker, deadline=deadline)
        document = answer.json() if answer.ok else None
        records = document.get("subnets") if isinstance(document, dict) else None
        if not isinstance(records, list):
            raise PodUnreachable(pod, "network", f"answered {answer.status} for the subnets of pool {local_id}")
        found |= {str(ip_network(each["cidr"], strict=False)): each["project_id"] for each in records}
        if not records or not any(link.get("rel") == "next" for link in document.get("subnets_links") or []):
            return found
        marker = f"&marker={records[-1]['id']}&limit={len(records)}"


def choose(pool: dict[str, Any], wish: Net | int) -> Callable[[list[dict]], list[str]]:
    """Decides on the prefix of one subnet, as Neutron does.

    Args:
        pool: as a pod shows it.
        wish: the prefix, or its length.

    Raises:
        BadRequest, Conflict: from the function that is returned, in Neutron's words.
    """
    length = wish if isinstance(wish, int) else wish.prefixlen

    def decide(rows: list[dict]) -> list[str]:
        _check_length(pool, length)
        _check_quota(pool, length, rows)
        free = without(nets(pool["prefixes"]), nets(row["cidr"] for row in rows))
        found = first_fit(free, length) if isinstance(wish, int) else \
            next((wish for net in free if wish.subnet_of(net)), None)
        if found is None:
            reason = f"Insufficient prefix space to allocate subnet size /{length}" if isinstance(wish, int) else \
                "Cannot allocate requested subnet from the available set of prefixes"
            raise Conflict(f"Failed to allocate subnet: {reason}.", "SubnetAllocationError")
        return [str(found)]

    return decide


def apart_from_all(wanted: Iterable[Net],
                   refusal: Callable[[Net], BadRequest]) -> Callable[[list[dict]], list[str]]:
    """Decide on prefixes of which no subnet may have anything; raise what `refusal` makes of the first that clashes."""
    wanted = list(wanted)

    def decide(rows: list[dict]) -> list[str]:
        taken = nets(row["cidr"] for row in rows)
        for net in wanted:
            if overlap([net], taken):
                raise refusal(net)
        return [str(net) for net in wanted]

    return decide


def _check_length(pool: dict[str, Any], length: int) -> None:
    for word, kind, wrong in (("maximum", "Max", length > int(pool["max_prefixlen"])),
                              ("minimum", "Min", length < int(pool["min_prefixlen"]))):
        if wrong:
            raise BadRequest(f"Unable to allocate subnet with prefix length {length}, {word} allowed prefix is "
                             f"{pool[f'{kind.lower()}_prefixlen']}.", f"{kind}PrefixSubnetAllocationError")


def _check_quota(pool: dict[str, Any], length: int, rows: list[dict]) -> None:
    """The quota bounds what subnets of the pool's own project take, whoever asks: so it is in Neutron."""
    quota, unit = pool.get("default_quota"), QUOTA_UNIT[int(pool["ip_version"])]
    if not quota:
        return
    used = [net.prefixlen for net in nets(row["cidr"] for row in rows if row["project_id"] == pool["project_id"])]
    if sum(2.0 ** (unit - each) for each in [*used, length]) > int(quota):
        raise Conflict("Per-tenant subnet pool prefix quota exceeded.", "SubnetPoolQuotaExceeded")
