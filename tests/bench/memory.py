"""Memory that a thousand requests take which wait for a slow pod, beside the same at the bare forwarder."""
import contextlib
import socket
from collections.abc import Callable

from tests.bench.world import World
from tests.functional.gateway import until

REQUESTS = 990      # a thousand connections for each service and process is where waitress stops accepting


def run(world: World) -> list[tuple[str, ...]]:
    """Rows of the table."""
    grown = {name: _measure(world, name) for name in ("forwarder", "gateway")}
    return [("1,000 slow requests", "memory", f"{grown['gateway'] / 1e6:.1f} MB",
             f"forwarder {grown['forwarder'] / 1e6:.1f} MB", f"{grown['gateway'] / grown['forwarder']:.2f}")]


def _measure(world: World, name: str) -> float:
    request = world.request(path="/v2.1/servers/{server}/slow")
    files = _at_rest(lambda: world.files(name))   # connections of earlier benches end a moment later
    before = world.memory(name)
    with contextlib.ExitStack() as stack:
        for _ in range(REQUESTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", world.ports[name]), 30))
            client.sendall(request)
        until(lambda: world.files(name) >= files + REQUESTS, 60)
        return (_at_rest(lambda: world.memory(name)) - before) / REQUESTS * 1000


def _at_rest(figure: Callable[[], int]) -> int:
    """A figure that is the same at two looks in a row."""
    seen = [0]

    def still() -> bool:
        seen.append(figure())
        return seen[-1] == seen[-2]

    until(still, 60, 0.5)
    return seen[-1]
