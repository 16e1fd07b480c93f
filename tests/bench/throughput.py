"""Requests a second of one process with all its threads busy, beside a bare waitress and urllib3 forwarder."""
from statistics import median

from tests.bench.latency import CALLS
from tests.bench.load import measure
from tests.bench.world import THREADS, World

ROUNDS, SECONDS, GOAL = 9, 1.5, 0.75
NAMES = ("forwarder", "gateway")


def run(world: World) -> list[tuple[str, ...]]:
    """Rows of the table. Processor time says more than requests a second on a machine that has other things to do."""
    rows = []
    for name, *call in CALLS:
        rate: dict[str, list[float]] = {where: [] for where in NAMES}
        cost: dict[str, list[float]] = {where: [] for where in NAMES}
        for _ in range(ROUNDS):
            for where in NAMES:
                before = world.cpu(where)
                number = len(measure(world.ports[where], world.request(*call), THREADS, SECONDS))
                rate[where].append(number / SECONDS)
                cost[where].append((world.cpu(where) - before) / number * 1e6)
        speed = {where: median(rate[where]) for where in NAMES}
        work = {where: median(cost[where]) for where in NAMES}
        rows.append((name, "requests a second", f"{speed['gateway']:.0f}", f"forwarder {speed['forwarder']:.0f}",
                     f"{speed['gateway'] / speed['forwarder']:.2f} (goal {GOAL})"))
        rows.append((name, "processor time a request", f"{work['gateway']:.0f} us",
                     f"forwarder {work['forwarder']:.0f} us", f"{work['forwarder'] / work['gateway']:.2f}"))
    return rows
