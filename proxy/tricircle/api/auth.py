"""The token check: keystonemiddleware, with its failures in the called service's own format."""
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import webob
from keystonemiddleware import auth_token

from tricircle.api.message import error_body
from tricircle.errors import Unavailable

RETRY_SECONDS = "5"
# keystonemiddleware believes its memcached for token_cache_time (300 s by default); to ask it takes 0.36 ms.
BELIEVED_SECONDS = 5.0
MOST_TOKENS = 10_000


class Identity(NamedTuple):
    """Who a token stands for, under `tricircle.identity` in the WSGI environment."""

    user_id: str
    project_id: str
    roles: frozenset[str]


class TokenCheck(auth_token.AuthProtocol):
    """Lets a request pass when its token is good.

    Args:
        app: what comes after.
        conf: as keystonemiddleware takes it.
        style: error format, see `message.error_body`.
    """

    def __init__(self, app, conf: dict, style: str):
        super().__init__(self._checked, conf)
        self._behind, self._style = app, style
        cached = self._conf.get("memcached_servers")   # without one every token is to be asked of Keystone every time
        self._seconds = min(BELIEVED_SECONDS, int(self._conf.get("token_cache_time"))) if cached else 0.0
        self._known: dict[tuple, tuple[float, Identity]] = {}

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        """A token that was good a moment ago passes without being asked for again."""
        key = _tokens(environ)
        until, identity = self._known.get(key, (0.0, None))
        if time.time() >= until:
            return super().__call__(environ, start_response)

        def start(status: str, *more: Any) -> Callable:
            if status.startswith("401"):
                self._known.pop(key, None)   # a pod knows better
            return start_response(status, *more)

        environ["tricircle.identity"] = identity
        return self._behind(environ, start)

    def _checked(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        """What keystonemiddleware calls: its headers are true here, and only here."""
        roles = frozenset(role.strip().lower() for role in (environ.get("HTTP_X_ROLES") or "").split(","))
        identity = Identity(environ.get("HTTP_X_USER_ID") or "", environ.get("HTTP_X_PROJECT_ID") or "", roles)
        environ["tricircle.identity"] = identity
        # The access rules of an application credential are about each path, so it is asked for each time.
        token = environ.get("keystone.token_info", {}).get("token", {})
        if self._seconds > 0 and environ.get("HTTP_X_IDENTITY_STATUS") == "Confirmed" and \
                "application_credential" not in token:
            if len(self._known) >= MOST_TOKENS:
                self._known.clear()
            end = environ["keystone.token_auth"].user.expires.timestamp()
            self._known[_tokens(environ)] = (min(time.time() + self._seconds, end), identity)
        return self._behind(environ, start_response)

    def process_request(self, request: webob.Request) -> webob.Response | None:
        """401 stays keystonemiddleware's own, which is Keystone's format; its page for 503 becomes JSON."""
        try:
            return super().process_request(request)
        except webob.exc.HTTPServiceUnavailable:
            words = "the token cannot be checked now: Keystone does not answer Tricircle, or refuses its account"
            response = webob.Response(json.dumps(error_body(self._style, Unavailable(words))), 503,
                                      content_type="application/json", charset="UTF-8")
            response.headers["Retry-After"] = RETRY_SECONDS
            return response


def _tokens(environ: dict) -> tuple:
    return environ.get("HTTP_X_AUTH_TOKEN"), environ.get("HTTP_X_SERVICE_TOKEN")
