"""The X-Forwarded headers of a proxy in front of the gateway: believed from those that the operator trusts alone."""
from collections.abc import Callable
from typing import Any

from waitress.proxy_headers import PROXY_HEADERS, proxy_headers_middleware

FORWARDED = {"x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"}
OF_PROXIES = frozenset(f"HTTP_{name}" for name in PROXY_HEADERS)   # what waitress takes from proxies, by WSGI names
PREFIX = "tricircle.prefix"   # in the WSGI environment: the path prefix under which a trusted proxy publishes us


def believing(application: Any, trusted: Callable[[str], bool]) -> Any:
    """Put an application behind what waitress does about a proxy's headers; it knows one proxy by itself, or all.

    Args:
        application: WSGI.
        trusted: whether an address is that of a proxy which is believed.
    """
    believed = proxy_headers_middleware(application, trusted_proxy="*", trusted_proxy_headers=FORWARDED)
    stripped = proxy_headers_middleware(application)

    def choose(environ: dict, start_response: Callable) -> Any:
        prefix, is_proxy = environ.pop("HTTP_X_FORWARDED_PREFIX", ""), trusted(environ["REMOTE_ADDR"])
        if is_proxy:
            environ[PREFIX] = prefix
        if environ.keys().isdisjoint(OF_PROXIES):   # there is nothing to believe or to strip
            return application(environ, start_response)
        return (believed if is_proxy else stripped)(environ, start_response)
    return choose
