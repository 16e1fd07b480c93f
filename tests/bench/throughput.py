"""Requests a second of a process, with one client and with as many as it has threads, beside a bare forwarder.

Gateway and forwarder take turns, and what is told is the median of the turns: on a machine that has other things to do
a ratio says more than a rate, and processor time more than either.
"""
from dataclasses import dataclass
from statistics import median, quantiles

from tests.bench.latency import CALLS
from tests.bench.load import measure
from tests.bench.world import PROCESSES, THREADS, World

ROUNDS, SECONDS = 9, 1.5
CLIENTS = (1, PROCESSES * THREADS)
GOALS = {"rate": 0.75, "many": 0.95, "p99": 3.0}
NAMES = ("gateway", "forwarder")


@dataclass(frozen=True)
class Turn:
    """What one turn gave.

    Args:
        rate: requests a second.
        cost: microseconds of processor time a request.
        points: milliseconds, {"p50", "p95", "p99"}.
    """

    rate: float
    cost: float
    points: dict[str, float]


def run(world: World) -> list[tuple[str, ...]]:
    """Rows of the table."""
    rows = []
    for name, *call in CALLS:
        turns: dict[tuple[str, int], list[Turn]] = {(where, clients): [] for where in NAMES for clients in CLIENTS}
        for _ in range(ROUNDS):
            for (where, clients), found in turns.items():
                found.append(_turn(world, where, world.request(*call), clients))
        for clients in CLIENTS:
            rows += _rows(f"{name}, {clients} clients", *(turns[where, clients] for where in NAMES), clients)
        few, many = CLIENTS
        grown = [_ratio(turns[where, many], turns[where, few]) for where in NAMES]
        rows.append((name, f"rate with {many} clients / with {few}", f"{grown[0]:.2f}", f"forwarder {grown[1]:.2f}",
                     f"goal {GOALS['many']}"))
    return rows


def _turn(world: World, where: str, request: bytes, clients: int) -> Turn:
    before = world.cpu(where)
    took = measure(world.ports[where], request, clients, SECONDS)
    cost = (world.cpu(where) - before) / len(took) * 1e6
    shares = quantiles(took, n=100)
    return Turn(len(took) / SECONDS, cost, {f"p{share}": shares[share - 1] * 1000 for share in (50, 95, 99)})


def _ratio(some: list[Turn], others: list[Turn]) -> float:
    """Of the rates, turn by turn."""
    return median(one.rate / other.rate for one, other in zip(some, others, strict=True))


def _rows(name: str, gateway: list[Turn], forwarder: list[Turn], clients: int) -> list[tuple[str, ...]]:
    rates, costs = ([median(getattr(turn, of) for turn in turns) for turns in (gateway, forwarder)]
                    for of in ("rate", "cost"))
    points = [{share: median(turn.points[share] for turn in turns) for share in gateway[0].points}
              for turns in (gateway, forwarder)]
    shares = "/".join(points[0])
    shown = [" / ".join(f"{value:.1f}" for value in each.values()) + " ms" for each in points]
    many = clients > 1
    return [
        (name, "requests a second", f"{rates[0]:.0f}", f"forwarder {rates[1]:.0f}",
         f"{_ratio(gateway, forwarder):.2f}" + (f" (goal {GOALS['rate']})" if many else "")),
        (name, "processor time a request", f"{costs[0]:.0f} us", f"forwarder {costs[1]:.0f} us",
         f"{median(b.cost / a.cost for a, b in zip(gateway, forwarder, strict=True)):.2f}"),
        (name, shares, shown[0], f"forwarder {shown[1]}",
         f"p99 {points[0]['p99'] / points[0]['p50']:.1f} x p50" + (f" (goal {GOALS['p99']:.0f})" if many else "")),
    ]
