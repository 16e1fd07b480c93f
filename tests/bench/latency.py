"""Latency that the gateway adds to a call, with one caller and the token in the cache."""
from statistics import median, quantiles

from tests.bench.load import measure
from tests.bench.world import World

ROUNDS, SECONDS = 15, 0.6
GOALS = {"p50": 0.8, "p95": 1.5}   # milliseconds
CALLS = (("GET a server", "GET", "/v2.1/servers/{server}", None),
         ("POST an action", "POST", "/v2.1/servers/{server}/action", {"reboot": {"type": "SOFT"}}))


def run(world: World) -> list[tuple[str, ...]]:
    """Rows of the table."""
    rows = []
    for name, *call in CALLS:
        took: dict[str, list[float]] = {where: [] for where in world.ports}
        measure(world.ports["gateway"], world.request(*call), 1, 0.2)
        for _ in range(ROUNDS):
            for where, port in world.ports.items():
                took[where] += measure(port, world.request(*call), 1, SECONDS)
        base = dict(_points(took["direct"]))
        for where in ("forwarder", "gateway"):
            for share, value in _points(took[where]):
                goal = f"goal {GOALS[share]} ms" if where == "gateway" else ""
                rows.append((name, f"added by the {where}, {share}", f"{(value - base[share]) * 1000:.2f} ms",
                             f"direct {base[share] * 1000:.2f} ms", goal))
    return rows


def _points(took: list[float]) -> list[tuple[str, float]]:
    return [("p50", median(took)), ("p95", quantiles(took, n=20)[-1])]
