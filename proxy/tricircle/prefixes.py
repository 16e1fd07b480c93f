"""What is left of some prefixes, and what Neutron takes of it first. Pure.

Source: Neutron's neutron/ipam/subnet_alloc.py.
"""
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network, summarize_address_range

Net = IPv4Network | IPv6Network


def nets(texts: Iterable[str]) -> list[Net]:
    """Prefixes as objects; bits of a host do not count."""
    return [ip_network(text, strict=False) for text in texts]


def without(prefixes: Iterable[Net], taken: Iterable[Net]) -> list[Net]:
    """What is in `prefixes` and not in `taken`, in as few and as large prefixes as can be, by address.

    Args:
        prefixes, taken: all of one IP version; they may overlap.
    """
    prefixes = list(prefixes)
    if not prefixes:
        return []
    kind = type(prefixes[0].network_address)
    return [net for first, last in _gaps(_spans(prefixes), _spans(taken))
            for net in summarize_address_range(kind(first), kind(last))]


def overlap(one: Iterable[Net], other: Iterable[Net]) -> bool:
    """Whether any address is in both."""
    one, other = list(one), list(other)
    return any(mine.version == yours.version and mine.overlaps(yours) for mine in one for yours in other)


def first_fit(free: Iterable[Net], length: int) -> Net | None:
    """The prefix of a length that Neutron would take: of the smallest free one that is large enough, its beginning.

    Args:
        free: as `without` gives it.
        length: of the prefix.
    """
    large = [net for net in free if net.prefixlen <= length]
    # The longest first; of equal ones that with the lowest address.
    best = min(large, key=lambda net: (-net.prefixlen, net.network_address), default=None)
    return next(best.subnets(new_prefix=length)) if best else None


def _spans(found: Iterable[Net]) -> list[tuple[int, int]]:
    """(first, last address) of what is next to each other or overlaps, in order."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted((int(net.network_address), int(net.broadcast_address)) for net in found):
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return spans


def _gaps(spans: list[tuple[int, int]], holes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What the holes leave of the spans; both in order."""
    for first, last in spans:
        for start, end in holes:
            if end < first or start > last:
                continue
            if start > first:
                yield first, start - 1
            first = end + 1
        if first <= last:
            yield first, last
