"""Availability zones: the user's on one side, each pod's own on the other."""
import time
from collections.abc import Collection, Iterable
from typing import Any

from tricircle.errors import TricircleError
from tricircle.routing import rewrite
from tricircle.upstream.client import Upstream, document

BELIEVED_SECONDS = 300.0
INTERNAL = "internal"   # Nova's zone of the hosts that run no servers
DEFAULT_ZONE = "nova"   # what Nova, Neutron and Cinder call theirs unless told otherwise


class Zones:
    """Translates zones in bodies.

    Args:
        upstream: asks a pod's Neutron for its zones; Nova and Cinder take a request without one.
    """

    def __init__(self, upstream: Upstream):
        self._upstream = upstream
        self._known: dict[str, tuple[float, str]] = {}

    def down(self, service: str, pod: dict, holders: Iterable[dict],
             others: Collection[str] = ()) -> list[rewrite.Change]:
        """Translate the user's zones in some objects to the pod's own.

        Args:
            service: whose API.
            pod: row.
            holders: of the zones.
            others: zones of all pods: a network's hints may name several, and this pod knows none of the others.

        Returns:
            What `rewrite.zones` returns.
        """
        def translate(name: str, *_: Any) -> str:
            zone, colon, host = name.partition(":")
            if zone not in (pod["az_name"], pod["pod_name"]):
                return "" if service == "network" and name in others else name
            if service == "network":
                return self._network_zone(pod)
            if colon:
                return f"{pod['pod_az_name'] or DEFAULT_ZONE}:{host}"
            return pod["pod_az_name"]
        return rewrite.zones(holders, translate)

    @staticmethod
    def up(pod: dict, holders: Iterable[dict]) -> list[rewrite.Change]:
        """Translate the pod's zones in some objects to the user's; returns what `rewrite.zones` returns."""
        def translate(_: str, field: str, holder: dict) -> str:
            # The hint of an external network is the name of its pod, as in the original.
            hint = field == "availability_zone_hints" and holder.get("router:external")
            return pod["pod_name" if hint else "az_name"]
        return rewrite.zones(holders, translate)

    @staticmethod
    def of_hosts(pod: dict, records: Iterable[dict]) -> bool:
        """Translate, in place, the zones in which a pod's administrator sees its hosts and services to the user's.

        Returns:
            Whether there were any.
        """
        found = [record for record in records if record.get("zone", INTERNAL) != INTERNAL]
        for record in found:
            record["zone"] = pod["az_name"]
        return bool(found)

    def _network_zone(self, pod: dict) -> str:
        """A zone that the pod's Neutron accepts as a hint; empty when it has none, and then the hint is left out."""
        if pod["pod_az_name"]:
            return pod["pod_az_name"]
        read_at, name = self._known.get(pod["pod_id"], (0.0, ""))
        if name and time.monotonic() - read_at < BELIEVED_SECONDS:
            return name
        try:
            found = document(self._upstream.ask(pod["pod_name"], "network", "GET", "/v2.0/availability_zones"))
        except TricircleError:
            return ""
        names = sorted({zone["name"] for zone in found.get("availability_zones", [])
                        if zone.get("state") == "available" and zone.get("resource") == "network"})
        if not names:
            return ""
        name = DEFAULT_ZONE if DEFAULT_ZONE in names else names[0]
        self._known[pod["pod_id"]] = (time.monotonic(), name)
        return name
