"""The token check: keystonemiddleware, with its failures in the called service's own format."""
import json
import math
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import webob
from keystoneauth1 import exceptions as ksa
from keystoneauth1.session import Session
from keystonemiddleware import auth_token
from keystonemiddleware.auth_token import InvalidToken, ServiceError
from oslo_config import cfg

from tricircle.api.message import error_body
from tricircle.errors import Unavailable
from tricircle.routing.caller import Identity
from tricircle.upstream.breaker import Breaker
from tricircle.upstream.client import PATIENCE_SECONDS

RETRY_SECONDS = "5"
# keystonemiddleware believes its memcached for token_cache_time (300 s by default); to ask it takes 0.36 ms.
BELIEVED_SECONDS = 5.0
MOST_TOKENS = 10_000
# Of keystonemiddleware, which by itself waits for a silent Keystone for ever, and four times.
RETRIES = 1
# Keystone's longest (a JWS) has some 1,500 characters. A web server before Keystone refuses longer headers, or cuts the
# connection off (uwsgi at 4,096 bytes for all of them): that says nothing about Keystone.
LONGEST_TOKEN = 2048
REFUSED = (400, 413, 414, 431)   # what such a web server says of a token
SLOW_SECONDS = 1.0       # of a check, which takes some milliseconds: then half of the threads may wait for Keystone,
CAREFUL_SECONDS = 30.0   # and for so long afterwards
# The path of an access rule: names, `*` or `{tag}` for one of them, `**` for any number. keystonemiddleware makes a
# regular expression of whatever else a user has written there, which may take for ever.
PART = r"(?:/(?:[\w.~:@%-]+|\*|\{[^{}/]*\}))*"
RULE = re.compile(rf"{PART}(?:/\*\*)?{PART}/?")


class TokenCheck(auth_token.AuthProtocol):
    """Lets a request pass when its token is good.

    Args:
        app: what comes after; finds an Identity under `tricircle.identity` in the WSGI environment.
        conf: tricircle.conf.
        style: error format, see `message.error_body`.
        names: of this port's API in Keystone's catalogue, which access rules of application credentials use, too.
    """

    def __init__(self, app: Callable, conf: cfg.ConfigOpts, style: str, names: tuple[str, ...]):
        # A service token frees a request from access rules, so it must be a service's: any other would do by default.
        super().__init__(self._checked, {"oslo_config_config": conf, "service_type": names[0],
                                         "service_token_roles_required": True})
        self._behind, self._style, self._names = app, style, names
        cached = self._conf.get("memcached_servers")   # without one every token is to be asked of Keystone every time
        self._seconds = min(BELIEVED_SECONDS, int(self._conf.get("token_cache_time"))) if cached else 0.0
        self._known: dict[str, tuple[float, Identity]] = {}

    def __call__(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        """A token that was good a moment ago passes without being asked for again."""
        environ.pop("HTTP_X_STORAGE_TOKEN", None)   # to keystonemiddleware a second name of X-Auth-Token
        token = environ.get("HTTP_X_AUTH_TOKEN", "")
        until, identity = self._known.get(token, (0.0, None))
        if time.time() >= until or "HTTP_X_SERVICE_TOKEN" in environ:
            return super().__call__(environ, start_response)
        environ["tricircle.identity"] = identity
        return self._behind(environ, self._watched(token, start_response))

    def _checked(self, environ: dict, start_response: Callable) -> Iterable[bytes]:
        """What keystonemiddleware calls when a token is good."""
        identity = environ["tricircle.identity"] = Identity.of(environ["keystone.token_info"]["token"])
        # Not one that is good for some paths only, or because of a service token beside it.
        if not self._seconds or identity.restricted or "HTTP_X_SERVICE_TOKEN" in environ:
            return self._behind(environ, start_response)
        token, end = environ["HTTP_X_AUTH_TOKEN"], environ["keystone.token_auth"].user.expires.timestamp()
        if len(self._known) >= MOST_TOKENS:
            self._known.clear()
        self._known[token] = min(time.time() + self._seconds, end), identity
        return self._behind(environ, self._watched(token, start_response))

    def _watched(self, token: str, start_response: Callable) -> Callable:
        """A pod knows better whether a token is good."""
        def start(status: str, *more: Any) -> Callable:
            if status.startswith("401"):
                self._known.pop(token, None)
            return start_response(status, *more)
        return start

    def validate_allowed_request(self, request: webob.Request, token: dict) -> None:
        """As keystonemiddleware's, for every name that the API has (it knows one), and for paths in RULE's form."""
        rules = (token.get("application_credential") or {}).get("access_rules")
        if rules is not None:
            known = dict.fromkeys(self._names, self._names[0])
            token = {"catalog": [{"type": known.get(each["type"])} for each in token.get("catalog", ())],
                     "application_credential": {"access_rules": [
                         {**rule, "service": known.get(rule["service"])} for rule in rules
                         if RULE.fullmatch(rule["path"])]}}
        super().validate_allowed_request(request, token)

    def _create_session(self, **kwargs: Any) -> Session:
        """With a deadline, unless the operator has set another one."""
        conf = self._conf.oslo_conf_obj
        conf.set_default("http_connect_timeout", math.ceil(2 * conf.pods.connect_deadline), "keystone_authtoken")
        conf.set_default("http_request_max_retries", RETRIES, "keystone_authtoken")
        return super()._create_session(**kwargs)

    def _create_identity_server(self) -> "Guarded":
        return Guarded(super()._create_identity_server(), self._conf.oslo_conf_obj)

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


class Guarded:
    """Keystone behind a breaker: who has a token that is known must not wait behind those who have a new one.

    Args:
        server: keystonemiddleware's, which it keeps to itself: `verify_token` and `invalidate` are called.
        conf: groups `pods` and `api` are read.
    """

    def __init__(self, server: Any, conf: cfg.ConfigOpts):
        self._server = server
        self._most, self._careful_until = max(1, conf.api.threads // 2), 0.0
        self._breaker = Breaker(conf.pods.breaker_failures, conf.pods.breaker_seconds, self._most, PATIENCE_SECONDS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def verify_token(self, token: str, *args: Any, **kwargs: Any) -> dict:
        """As keystonemiddleware's; a token that Keystone does not know is an answer, too.

        Raises:
            ServiceError: Keystone does not answer. The middleware knows some of keystoneauth's errors only: one that
                is silent, or has no endpoint for the moment, would be a 500.
            InvalidToken: it is none.
        """
        if len(token) > LONGEST_TOKEN:
            raise InvalidToken("longer than any token")
        slow = time.monotonic() < self._careful_until
        if self._breaker.waiting(0.0 if slow else SLOW_SECONDS) >= self._most or not (call := self._breaker.begin()):
            raise ServiceError("Keystone has not answered several times, or enough requests wait for it")
        try:
            found = self._server.verify_token(token, *args, **kwargs)
        except (ksa.ClientException, ServiceError) as error:
            if getattr(error.__context__, "http_status", None) in REFUSED:
                call.answered()
                raise InvalidToken("Keystone's web server refuses it") from error
            call.silent()
            if isinstance(error, ksa.EndpointNotFound):
                self._server.invalidate()   # its catalogue is read anew
            raise ServiceError(str(error)) from error
        except Exception:
            call.answered()
            raise
        else:
            call.answered()
            return found
        finally:
            call.ended()
            if time.monotonic() - call.began > SLOW_SECONDS:
                self._careful_until = time.monotonic() + CAREFUL_SECONDS
