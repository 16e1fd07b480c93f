"""`METHOD /path/{name}` -> function."""
import re
from collections.abc import Callable

from tests.functional.standin.web import Refused, Request


class Routes:
    """A table of routes; the first that fits wins.

    Args:
        table: (method, path pattern, function).
    """

    def __init__(self, table: list[tuple[str, str, Callable]]):
        self._table = [(method, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$"), function)
                       for method, path, function in table]

    def find(self, request: Request) -> tuple[Callable, dict[str, str]]:
        """The function for a request and what its path names.

        Raises:
            Refused: 404 for an unknown path, 405 for a known one with another method.
        """
        known = False
        for method, pattern, function in self._table:
            match = pattern.match(request.path)
            if match and method == request.method:
                return function, match.groupdict()
            known = known or bool(match)
        if known:
            raise Refused(405, "The method is not allowed for this resource.")
        raise Refused(404, "The resource could not be found.", "HTTPNotFound")
