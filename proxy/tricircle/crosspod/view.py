"""What a user sees of a router: not the routes that Tricircle has put there."""
from ipaddress import IPv4Network, ip_address, ip_network


def hide(router: dict, supernet: str | IPv4Network) -> dict:
    """A router without the routes into a bridge.

    Args:
        router: as Neutron shows it (what stands under `router`, or one of `routers`).
        supernet: the configured range of bridge subnets, such as 100.64.0.0/10.

    Returns:
        A copy; the same one when there are no routes in it (`fields` can leave them out).
    """
    net = ip_network(supernet)
    routes = router.get("routes")
    if not routes:
        return router
    return {**router, "routes": [route for route in routes if ip_address(route["nexthop"]) not in net]}


def plumbing(router: dict, supernet: str | IPv4Network) -> list[dict]:
    """The routes that `hide` leaves out: a request that replaces the whole list has to carry them along."""
    net = ip_network(supernet)
    return [route for route in router.get("routes") or [] if ip_address(route["nexthop"]) in net]
