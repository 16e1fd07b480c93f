"""Addresses of those who connect to us, and networks of those whom an operator trusts. Pure."""
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

MAPPED = ip_network("::ffff:0:0/96")   # IPv4, as a socket shows it that listens on both (RFC 4291 2.5.5.2)
HOST6 = 64                             # bits of an IPv6 address that one client does not choose (RFC 4291 2.5.1)


def plain(text: str) -> IPv4Address | IPv6Address:
    """An address, IPv4 as such.

    Raises:
        ValueError: it is none.
    """
    found = ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found


def network(text: str) -> IPv4Network | IPv6Network:
    """An address or a network that an operator has written, IPv4 as such.

    Raises:
        ValueError: it is neither.
    """
    found = ip_network(text)
    if found.version == 6 and found.subnet_of(MAPPED):
        return IPv4Network((found.network_address.ipv4_mapped, found.prefixlen - MAPPED.prefixlen))
    return found


def members(networks: Iterable[IPv4Network | IPv6Network]) -> Callable[[str], bool]:
    """Return a function that tells whether a text is an address in one of the networks."""
    networks = list(networks)

    @lru_cache(maxsize=1024)
    def member(text: str) -> bool:
        try:
            address = plain(text)
        except ValueError:
            return False
        return any(address in each for each in networks)
    return member


def client(text: str) -> str:
    """By what a client is counted: an IPv4 address, or the network of an IPv6 one, in which it may take any address."""
    address = plain(text)
    return str(address) if address.version == 4 else str(ip_network((int(address) >> HOST6 << HOST6, HOST6)))
